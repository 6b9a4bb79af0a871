import { describe, expect, it } from 'vitest'
import { fakeAudited } from '../../contracts/fake-audited.ts'
import { fakeMount } from '../../contracts/fake-call.ts'
import { parseFilter } from './filter.ts'

const request = fakeAudited({
  operation: 'update',
  path: 'secret/data/app',
  namespace: { id: 'abc123', path: 'team/' },
  mount: fakeMount(),
})

describe('a filter lets pass', () => {
  it.each([
    ['operation == update', true],
    ['operation == "read"', false],
    ['operation != read', true],
    ['mount_type == kv and operation == update', true],
    ['mount_type == kv and operation == read', false],
    ['mount_type == pki or operation == update', true],
    ['not mount_type == pki', true],
    ['not (mount_type == kv or path contains "x")', false],
    ['mount_point == "team/secret/"', true],
    ['namespace == "team/"', true],
    ['namespace == ""', false],
    ['"data/app" in path', true],
    ['"data/app" not in path', false],
    ['path contains app', true],
    ['path not contains app', false],
    ['path matches "^secret/data/[a-z]+$"', true],
    ['path matches `^\\w+$`', false],
    ['path not matches "^kv/"', true],
    ['operation == read or operation == list or (path contains data and mount_type != pki)', true],
    ['path == "a\\"b"', false],
  ])('%s: %s', (text, wanted) => {
    expect(parseFilter(text)(request)).toBe(wanted)
  })

  it('nothing of a mount when there is none', () => {
    const { mount: _, ...without } = request
    expect(parseFilter('mount_type == kv')(without)).toBe(false)
    expect(parseFilter('mount_type == ""')(without)).toBe(true)
  })
})

describe('a filter is refused', () => {
  it.each([
    ['', 'a property is missing'],
    ['operation', 'after "operation" must come ==, !=, in, not in, contains, not contains, matches or not matches'],
    ['operation ==', 'a value is missing'],
    ['operation == update and', 'a property is missing'],
    ['operation == update update', '"update" is not expected there'],
    ['(operation == update', 'a ")" is missing'],
    ['user == x', '"user" is no property of an audit line: mount_point, mount_type, namespace, operation, path are'],
    ['"path" == x', '"path" is no property of an audit line: mount_point, mount_type, namespace, operation, path are'],
    [
      '__proto__ == x',
      '"__proto__" is no property of an audit line: mount_point, mount_type, namespace, operation, path are',
    ],
    ['path is empty', 'after "path" must come ==, !=, in, not in, contains, not contains, matches or not matches'],
    ['path matches "("', 'the pattern after "matches" is no RE2 expression'],
    ['operation == "open', 'character 13 is not understood'],
    ['operation & x', 'character 10 is not understood'],
    [`${'('.repeat(50)}path == x`, 'it is nested too deeply'],
    [`path == ${'x'.repeat(5000)}`, 'it is longer than 4096 characters'],
  ])('%s', (text, why) => {
    expect(() => parseFilter(text)).toThrow(`cannot parse the audit filter: ${why}`)
  })
})
