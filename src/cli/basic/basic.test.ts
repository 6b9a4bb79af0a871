import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'

const home = mkdtempSync(join(tmpdir(), 'coffer-cli-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

const sealStatus = {
  type: 'shamir',
  initialized: true,
  sealed: false,
  t: 1,
  n: 1,
  progress: 0,
  nonce: '',
  version: '2.6.0',
  build_date: '2026-01-01T00:00:00Z',
  storage_type: 'lmdb',
}

describe('status', () => {
  const answer = (more: object) => ({
    answer: ({ path }: { path: string }) => ({
      body: path === '/v1/sys/leader' ? '{"ha_enabled":false}' : JSON.stringify({ ...sealStatus, ...more }),
    }),
  })

  it('is 0 and a table when unsealed', async () => {
    const { status, out } = await runFake(['status'], answer({ cluster_name: 'c1' }))
    expect(status).toBe(0)
    expect(out).toBe(`Key             Value
---             -----
Seal Type       shamir
Initialized     true
Sealed          false
Total Shares    1
Threshold       1
Version         2.6.0
Build Date      2026-01-01T00:00:00Z
Storage Type    lmdb
Cluster Name    c1
HA Enabled      false
`)
  })

  it('is 2 when sealed, with the progress', async () => {
    const { status, out } = await runFake(['status'], answer({ sealed: true, t: 3, n: 5, progress: 1 }))
    expect(status).toBe(2)
    expect(out).toContain('Unseal Progress    1/3\nUnseal Nonce       n/a\n')
  })

  it('is 1 when nobody answers', async () => {
    const { status, err } = await runFake(['status'], { answer: () => ({ status: 500, body: 'no' }) })
    expect(status).toBe(1)
    expect(err).toContain('Error checking seal status: Error making API request.')
  })
})

describe('read', () => {
  const secret = { lease_duration: 2764800, data: { foo: 'bar', ttl: 3600, nested: { b: [1, null], a: true } } }

  it('prints a table, durations and Go values', async () => {
    const { out } = await runFake(['read', 'kv1/foo'], { answer: () => envelopeOf(secret) })
    expect(out).toBe(`Key                 Value
---                 -----
refresh_interval    768h
foo                 bar
nested              map[a:true b:[1 <nil>]]
ttl                 1h
`)
  })

  it('prints the envelope as JSON, numbers as they are', async () => {
    const body =
      '{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":{"n":1.0,"h":"<b>"},"warnings":null}'
    const { out } = await runFake(['read', '-format=json', 'a'], { answer: () => ({ body }) })
    expect(out).toBe(`{
  "request_id": "r",
  "lease_id": "",
  "lease_duration": 0,
  "renewable": false,
  "data": {
    "h": "\\u003cb\\u003e",
    "n": 1.0
  },
  "warnings": null
}
`)
  })

  it('prints YAML', async () => {
    const { out } = await runFake(['read', '-format=yaml', 'a'], {
      answer: () => envelopeOf({ data: { list: ['a', 'yes'], map: { k: 'x: y' }, empty: {} } }),
    })
    expect(out).toContain('data:\n  empty: {}\n  list:\n  - a\n  - "yes"\n  map:\n    k: "x: y"\nwarnings: null\n')
  })

  it('prints one field raw, and says when it is not there', async () => {
    const answer = () => envelopeOf(secret)
    expect(await runFake(['read', '-field=foo', 'kv1/foo'], { answer })).toMatchObject({ status: 0, out: 'bar' })
    expect(await runFake(['read', '-field=no', 'kv1/foo'], { answer })).toMatchObject({
      status: 1,
      err: 'Field "no" not present in secret\n',
    })
  })

  it('is 2 when there is nothing', async () => {
    const answer = () => ({ status: 404, body: '{"errors":[]}' })
    expect(await runFake(['read', 'a/b'], { answer })).toMatchObject({ status: 2, err: 'No value found at a/b\n' })
    expect(await runFake(['list', '-format=json', 'a'], { answer })).toMatchObject({ status: 2, out: '{}\n' })
  })

  it('puts warnings on stderr', async () => {
    const { out, err } = await runFake(['read', 'a'], {
      answer: () => ({ ...envelopeOf({ warnings: ['old path'] }), status: 404 }),
    })
    expect(out).toBe('')
    expect(err).toBe('WARNING! The following warnings were returned from Vault:\n\n  * old path\n\n')
  })
})

describe('a document without envelope', () => {
  const answer = () => ({ body: '{"initialized":true,"version":"2.6.0"}' })

  it.each([
    ['read', 'sys/health'],
    ['write', '-f', 'sys/unseal'],
    ['delete', 'sys/x'],
  ])('is what %s prints as data', async (...argv) => {
    const table = 'Key            Value\n---            -----\ninitialized    true\nversion        2.6.0\n'
    expect(await runFake(argv, { answer })).toMatchObject({ status: 0, out: table, err: '' })
    const json = await runFake([argv[0] ?? '', '-format=json', ...argv.slice(1)], { answer })
    expect(JSON.parse(json.out)).toMatchObject({ request_id: '', data: { initialized: true }, warnings: null })
  })

  it('has fields, and is nothing when it is empty', async () => {
    expect((await runFake(['read', '-field=version', 'sys/health'], { answer })).out).toBe('2.6.0')
    expect((await runFake(['read', 'sys/x'], { answer: () => ({ body: '{}' }) })).status).toBe(2)
  })
})

describe('a change that meets 404', () => {
  it.each([['write', '-f'], ['patch', '-f'], ['delete']])('%s says its warnings, and fails', async (...argv) => {
    const answer = () => ({ ...envelopeOf({ warnings: ['no such mount'] }), status: 404 })
    const { status, out, err } = await runFake([...argv, 'a'], { answer })
    expect([status, out]).toEqual([2, ''])
    expect(err).toContain('WARNING! The following warnings were returned from Vault:\n\n  * no such mount\n')
    expect(err).toMatch(/Error (writing data to|patching data at|deleting) a: Error making API request/)
  })

  it('fails as before when there is nothing to say', async () => {
    const answer = () => ({ status: 404, body: '{"errors":[]}' })
    const { status, err } = await runFake(['delete', 'a'], { answer })
    expect(status).toBe(2)
    expect(err).toMatch(/^Error deleting a: Error making API request/)
  })
})

describe('write to sys/wrapping/wrap', () => {
  it('wraps for five minutes, unless -wrap-ttl says otherwise', async () => {
    const sent = async (...flags: string[]) =>
      (await runFake(['write', ...flags, 'sys/wrapping/wrap', 'a=b'])).requests[0]?.headers['X-Vault-Wrap-TTL']
    expect([await sent(), await sent('-wrap-ttl=60')]).toEqual(['5m', '60'])
    expect((await runFake(['write', 'sys/x', 'a=b'])).requests[0]?.headers['X-Vault-Wrap-TTL']).toBeUndefined()
  })
})

describe('write', () => {
  it('says what Vault says when it is refused', async () => {
    const answer = () => ({ status: 403, body: '{"errors":["permission denied"]}' })
    const { status, err } = await runFake(['write', 'secret/x', 'a=b'], { answer })
    expect(status).toBe(2)
    expect(err).toBe(
      'Error writing data to secret/x: Error making API request.\n\nURL: PUT http://127.0.0.1:8200/v1/secret/x\nCode: 403. Errors:\n\n* permission denied\n',
    )
  })

  it('takes values from arguments, files, stdin and JSON', async () => {
    const file = join(home, 'value')
    writeFileSync(file, 'line\n')
    const argv = ['write', 'p', 'a=1', `b=@${file}`, 'c=-', 'd=\\@x', 'l=1', 'l=2']
    const { requests, out } = await runFake(argv, { stdin: 'typed' })
    expect(requests[0]).toMatchObject({
      method: 'PUT',
      body: '{"a":"1","b":"line\\n","c":"typed","d":"@x","l":["1","2"]}',
    })
    expect(out).toBe('Success! Data written to: p\n')
    const json = await runFake(['write', 'p', '-'], { stdin: '{"n":1.0}' })
    expect(json.requests[0]?.body).toBe('{"n":1.0}')
    expect((await runFake(['write', '-f', 'p'])).requests[0]?.body).toBe('{}')
  })

  it('does not repeat a value whose key was forgotten', async () => {
    const { err } = await runFake(['write', 'p', 'canary-value-123'])
    expect(err).not.toContain('canary-value-123')
  })
})

describe('delete and list', () => {
  it('delete succeeds whether it was there or not', async () => {
    const { out, requests } = await runFake(['delete', 'a/b'])
    expect([out, requests[0]?.method]).toEqual(['Success! Data deleted (if it existed) at: a/b\n', 'DELETE'])
  })

  it('list prints keys, or only them as JSON', async () => {
    const answer = () => envelopeOf({ data: { keys: ['a', 'b/'] } })
    expect((await runFake(['list', 'x'], { answer })).out).toBe('Keys\n----\na\nb/\n')
    expect((await runFake(['list', '-format=json', 'x'], { answer })).out).toBe('[\n  "a",\n  "b/"\n]\n')
  })
})

describe('login', () => {
  const env = { HOME: home }
  const lookup = envelopeOf({ data: { id: 'x', accessor: 'acc', policies: ['root'], ttl: 0, renewable: false } })

  it('keeps the token in the token file, 0600, without a newline', async () => {
    const { status, out, requests } = await runFake(['login', '-'], { env, stdin: 'hvs.mine\n', answer: () => lookup })
    expect(status).toBe(0)
    expect(requests[0]).toMatchObject({ path: '/v1/auth/token/lookup-self', headers: { 'X-Vault-Token': 'hvs.mine' } })
    const file = join(home, '.vault-token')
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['hvs.mine', 0o600])
    expect(out).toContain('Success! You are now authenticated.')
    expect(out).toContain('token_duration       ∞\n')
    expect(out).toContain('policies             ["root"]\n')
    expect((await runFake(['read', 'a'], { env })).requests[0]?.headers['X-Vault-Token']).toBe('hvs.mine')
  })

  it('as a service account gives role and token to the method', async () => {
    const jwt = join(home, 'jwt')
    writeFileSync(jwt, 'header.body.sign\n')
    const answer = () =>
      envelopeOf({ auth: { client_token: 'hvs.sa', accessor: 'a', policies: ['p'], lease_duration: 60 } })
    const argv = ['login', '-method=kubernetes', '-path=k8s', '-token-only', 'role=app', `jwt=@${jwt}`]
    const { out, requests } = await runFake(argv, { env: { ...env, VAULT_TOKEN: 'old' }, answer })
    expect(out).toBe('hvs.sa')
    expect(requests[0]).toMatchObject({ path: '/v1/auth/k8s/login', body: '{"role":"app","jwt":"header.body.sign"}' })
    expect(requests[0]?.headers['X-Vault-Token']).toBeUndefined()
    expect(readFileSync(join(home, '.vault-token'), 'utf8')).toBe('hvs.mine')
  })

  it('keeps nothing when the token is refused', async () => {
    const other = { HOME: join(home, 'other') }
    const answer = () => ({ status: 403, body: '{"errors":["permission denied"]}' })
    const { status, err } = await runFake(['login', 'bad'], { env: other, answer })
    expect(status).toBe(2)
    expect(err).toContain('Error authenticating: error looking up token: Error making API request.')
    expect(() => statSync(join(home, 'other'))).toThrow()
  })

  it('needs a terminal to ask on', async () => {
    const { status, err } = await runFake(['login'], { env })
    expect([status, err]).toEqual([1, 'stdin is no terminal to ask on: give "-" and the token on stdin\n'])
  })
})
