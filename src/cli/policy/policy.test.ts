import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { localPolicy } from '../../server/policies/expectations/local-policy.ts'
import { type CliRunOptions, runFake } from '../fake-context.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-policy-'))
afterAll(() => rmSync(folder, { recursive: true }))
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const run = (argv: readonly string[], options: CliRunOptions = {}) =>
  runFake(argv, { ...options, localPolicy: async () => localPolicy })
const says = (data: object) => ({ answer: () => ({ status: 200, body: JSON.stringify({ data }) }) })
const sent = (body: string | Uint8Array | undefined) => JSON.parse(String(body))

write('app.hcl', 'path "secret/data/app" { capabilities = ["read"] }')
const good = write(
  'good.test.hcl',
  'policies = ["app.hcl"]\nallow "own" { operation = "read" path = "secret/data/app" }\ndeny "lists" { operation = "list" path = "secret/metadata" }',
)
const bad = write(
  'bad.test.hcl',
  'policies = ["app.hcl"]\nallow "more" { operation = "update" path = "secret/data/app" wrap_ttl = "5m" }',
)

describe('policy test', () => {
  it('says which expectations hold and ends well when all do', async () => {
    const { status, out, requests } = await run(['policy', 'test', good])
    expect(status).toBe(0)
    expect(out).toContain('  ok    allow read secret/data/app  (own)')
    expect(out).toContain('  ok    deny  list secret/metadata/  (lists)')
    expect(out).toContain('2 passed, 0 failed')
    expect(requests).toEqual([])
  })

  it('says why one fails, what would help, and ends with 1', async () => {
    const { status, out } = await run(['policy', 'test', good, bad])
    expect(status).toBe(1)
    expect(out).toContain('  FAIL  allow update secret/data/app  (more)')
    expect(out).toContain('lacks the capability "update"')
    expect(out).toContain('          path "secret/data/app" {')
    expect(out).toContain('2 passed, 1 failed')
  })

  it('prints documents', async () => {
    const { out } = await run(['policy', 'test', '-format=json', bad])
    expect(JSON.parse(out)).toMatchObject({ passed: 0, failed: 1, checks: [{ passed: false, operation: 'update' }] })
  })

  it('asks the server with -live, by the names of the files', async () => {
    const { status, requests } = await run(['policy', 'test', '-live', bad], says({ allowed: true, reason: 'r' }))
    expect(status).toBe(0)
    expect(requests[0]?.path).toContain('sys/coffer/explain')
    expect(sent(requests[0]?.body)).toEqual({
      operation: 'update',
      path: 'secret/data/app',
      wrap_ttl: '300000ms',
      policies: ['app'],
    })
  })

  it('with -live: the server that refuses is an error of 2, identity in the file one of 1', async () => {
    const refused = { answer: () => ({ status: 403, body: '{"errors":["permission denied"]}' }) }
    expect((await run(['policy', 'test', '-live', bad], refused)).status).toBe(2)
    const templated = write(
      't.test.hcl',
      'policies = ["app.hcl"]\nidentity { "identity.entity.id" = "e" }\ndeny "a" { operation = "read" path = "b" }',
    )
    const { status, err } = await run(['policy', 'test', '-live', templated])
    expect([status, err]).toEqual([1, expect.stringContaining('-entity-id')])
    expect(
      (await run(['policy', 'test', '-live', '-entity-id=e1', templated], says({ allowed: false, reason: 'r' })))
        .status,
    ).toBe(0)
  })

  it.each([
    [['policy', 'test', join(folder, 'none.hcl')], 'Error reading file'],
    [['policy', 'test', write('no-policies.hcl', 'deny "a" { operation = "read" path = "b" }')], 'name the policies'],
    [['policy', 'test', write('wrong.hcl', 'alow "a" {}')], 'unknown "alow"'],
    [
      [
        'policy',
        'test',
        write('gone.hcl', 'policies = ["gone-policy.hcl"] deny "a" { operation = "read" path = "b" }'),
      ],
      'Error reading policy file',
    ],
  ])('%j is wrong use', async (argv, message) => {
    const { status, err } = await run(argv)
    expect([status, err]).toEqual([1, expect.stringContaining(message)])
  })
})

describe('policy fmt', () => {
  it('rewrites the file', async () => {
    const file = write('messy.hcl', 'path "a" {policy="read"}')
    const { status, out } = await run(['policy', 'fmt', file])
    expect([status, out]).toEqual([0, `Success! Formatted policy: ${file}\n`])
    expect(readFileSync(file, 'utf8')).toBe('path "a" {\n  policy = "read"\n}\n')
  })

  it('leaves what is no policy alone', async () => {
    const file = write('broken.hcl', 'path "a" {')
    const { status, err } = await run(['policy', 'fmt', file])
    expect([status, err]).toEqual([1, expect.stringContaining('Error parsing policy: failed to parse policy: At 1:12')])
    expect(readFileSync(file, 'utf8')).toBe('path "a" {')
  })
})

describe('policy explain', () => {
  const answer = {
    allowed: false,
    path: 'a',
    operation: 'read',
    policies: ['p'],
    absent_policies: ['q'],
    reason: 'because',
    rule: null,
    other_rules: [{ path: '*', capabilities: ['list'], lost_because: 'it is shorter' }],
    dropped_rules: [{ policy: 'p', path: '{{x}}', because: 'there is no value' }],
    allow_with: 'path "a" {\n}\n',
  }

  it('asks about a path and prints what was said', async () => {
    const { status, out, requests } = await run(['policy', 'explain', '-policy=p', 'read', 'a', 'x=1'], says(answer))
    expect(status).toBe(0)
    expect(sent(requests[0]?.body)).toEqual({ operation: 'read', path: 'a', policies: ['p'], data: { x: '1' } })
    for (const text of [
      'Denied: read a',
      'because',
      'Not there: q',
      'it is shorter: "*" [list]',
      'there is no value',
      'path "a" {',
    ]) {
      expect(out).toContain(text)
    }
  })

  it('asks about a denied request', async () => {
    const { requests } = await run(['policy', 'explain', '-request-id=r1', 'x=1'], says(answer))
    expect(sent(requests[0]?.body)).toEqual({ request_id: 'r1', data: { x: '1' } })
  })

  it('needs an operation and a path', async () => {
    expect((await run(['policy', 'explain', 'read'])).status).toBe(1)
  })

  it('prints documents', async () => {
    const { out } = await run(['policy', 'explain', '-format=json', 'read', 'a'], says(answer))
    expect(JSON.parse(out)).toEqual(answer)
  })
})
