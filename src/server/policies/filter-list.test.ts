import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../lib/json/value.ts'
import { RawJson } from '../../lib/json/value.ts'
import { atOnce } from '../../lib/turns.ts'
import type { Verdict } from './acl.ts'
import { compileAcl } from './acl.ts'
import { filterSteps } from './filter-list.ts'
import { parseKeyFilter } from './key-filter.ts'
import { parsePolicy } from './parse-policy.ts'

const filterList = (verdict: Verdict, data: JsonObject | RawJson) => atOnce(filterSteps(verdict, data))
const acl = (text: string) => compileAcl([parsePolicy('p', text)])
const listing = (text: string, input: JsonObject = {}) =>
  acl(text).check({ path: 'secret/metadata/', operation: 'list', input })
const keys = (...names: string[]) => ({ keys: names })
const paged = 'path "secret/metadata/*" { capabilities = ["list"] pagination_limit = 2 }'
const filtered = `
path "secret/metadata/*" {
  capabilities = ["list", "scan"]
  list_scan_response_keys_filter_path = "{{ .path | replace \\"metadata\\" \\"data\\" }}{{ .key }}"
}
path "secret/data/mine" { capabilities = ["read"] }
path "secret/data/team/*" { capabilities = ["list"] }
path "secret/data/hidden" { capabilities = ["deny"] }`

describe('a page limit', () => {
  it('cuts lists that ask for no page, for max, or for all by a page of 0', () => {
    for (const input of [{}, { limit: 'max' }, { limit: 0 }, { limit: '-1' }]) {
      expect(filterList(listing(paged, input), keys('a', 'b', 'c')), JSON.stringify(input)).toEqual(keys('a', 'b'))
    }
  })

  it('leaves smaller pages and starts after the key that is named', () => {
    expect(filterList(listing(paged, { limit: '1' }), keys('a', 'b'))).toEqual(keys('a'))
    expect(filterList(listing(paged, { after: 'a' }), keys('a', 'b', 'c', 'd'))).toEqual(keys('b', 'c'))
  })

  it('leaves the place where a scan goes on to the scan, whose order is not that of bytes', () => {
    const text = 'path "secret/metadata/*" { capabilities = ["scan"] pagination_limit = 2 }'
    const verdict = acl(text).check({ path: 'secret/metadata/', operation: 'scan', input: { after: 'z', limit: 2 } })
    expect(filterList(verdict, keys('a/b', 'a/c', 'b/a'))).toEqual(keys('a/b', 'a/c'))
  })

  it('refuses larger pages and what is no number; without a number where one is required', () => {
    expect(listing(paged, { limit: 3 }).allowed).toBe(false)
    expect(listing(paged, { limit: 'many' }).allowed).toBe(false)
    const required = paged.replace('pagination', 'required_parameters = ["limit"] pagination')
    expect(listing(required).allowed).toBe(false)
    expect(listing(required, { limit: 'max' }).allowed).toBe(true)
  })

  it('of several policies is the smallest', () => {
    const both = compileAcl([parsePolicy('a', paged), parsePolicy('b', paged.replace('= 2', '= 1'))])
    expect(both.check({ path: 'secret/metadata/', operation: 'list' }).list?.limit).toBe(1)
  })

  it('is not there without the rule, but max still means all', () => {
    const free = 'path "secret/metadata/*" { capabilities = ["list"] }'
    expect(listing(free).list).toBeUndefined()
    expect(listing(free, { limit: 'max' }).list).toMatchObject({ limit: 0 })
  })
})

describe('a key filter', () => {
  it('shows keys that may be read and folders that may be listed', () => {
    const verdict = listing(filtered)
    expect(filterList(verdict, keys('hidden', 'mine', 'other', 'team/'))).toEqual(keys('mine', 'team/'))
  })

  it('takes the others out of key_info too, and out of raw answers', () => {
    const data = { keys: ['mine', 'other'], key_info: { mine: { a: 1 }, other: { a: 2 } } }
    const wanted = { keys: ['mine'], key_info: { mine: { a: 1 } } }
    expect(JSON.parse(JSON.stringify(filterList(listing(filtered), data)))).toEqual(wanted)
    const raw = filterList(listing(filtered), new RawJson(JSON.stringify(data)))
    expect(JSON.parse(JSON.stringify(raw))).toEqual(wanted)
  })

  it('can leave nothing', () => expect(filterList(listing(filtered), keys('other'))).toEqual(keys()))

  it('lets others run while it looks at many keys', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? `team/${i}/` : `other-${i}`))
    const data = { ...keys(...many), key_info: Object.fromEntries(many.map((key) => [key, null])) }
    const steps = filterSteps(listing(filtered), data)
    let pauses = 0
    let step = steps.next()
    for (; !step.done; step = steps.next()) pauses += 1
    expect(step.value).toEqual(filterList(listing(filtered), data))
    expect(step.value).toMatchObject({ keys: { length: 10_000 } })
    expect(pauses, 'of keys and of their info').toBe(20 + 10)
  })

  it.each([
    [{ keys: ['mine'], more: 'secret' }, 'other members: more'],
    [{ keys: [1] }, 'no names'],
    [{ names: ['mine'] }, 'no keys'],
    [{ keys: ['mine'], key_info: ['x'] }, 'key_info that is no object'],
  ])('never lets %j through', (data, message) => {
    expect(() => filterList(listing(filtered), data as JsonObject)).toThrow(message)
  })

  it('asks below the namespace where the list was asked', () => {
    const inner = acl(filtered.replaceAll('"secret/', '"team/secret/')).below('team/')
    const verdict = inner.check({ path: 'secret/metadata/', operation: 'list' })
    expect(filterList(verdict, keys('mine', 'other'))).toEqual(keys('mine'))
  })
})

describe('the template of a filter', () => {
  it.each([
    ['{{ .path }}{{ .key }}', 'p/k'],
    ['x/{{.key}}', 'x/k'],
    ['{{ .key | uppercase | replace "K" "Q" }}', 'Q'],
    ['{{ replace "p" "q" .path }}{{ lowercase .key }}', 'q/k'],
    ['{{ .path | truncate 1 }}-{{ .key }}', 'p-k'],
    ['{{ "a\\"b" }}{{ .key }}', 'a"bk'],
  ])('%s makes %s', (text, made) => expect(parseKeyFilter(text).pathOf('p/', 'k')).toBe(made))

  it.each([
    ['{{ .key', 'unclosed action'],
    ['{{ .name }}', 'neither .path nor .key'],
    ['{{ .key | sha256 }}', 'function "sha256" not defined'],
    ['{{ .key | replace "a" }}', 'wrong number of args for replace: want 3 got 2'],
    ['{{ .key .path }}', 'unexpected ".path"'],
    ['{{ }}', 'missing value for command'],
    ['{{ .key | }}', 'function "" not defined'],
    ['{{ uppercase }}', 'uppercase needs a value'],
    ['{{ .key ! }}', 'unexpected "!"'],
    ['fixed', 'resulted in same path for two different keys'],
  ])('%s is refused', (text, message) => expect(() => parseKeyFilter(text)).toThrow(message))
})
