import { describe, expect, it } from 'vitest'
import { envelopeOf } from '../../sdk/fake-transport.ts'
import { runFake } from '../fake-context.ts'

const kv = { type: 'secret', name: 'kv', version: 'v0.25.0+builtin', builtin: true, deprecation_status: 'supported' }
const kubernetes = { ...kv, type: 'auth', name: 'kubernetes', version: 'v0.22.0+builtin' }
const catalog = () =>
  envelopeOf({ data: { detailed: [kubernetes, kv], auth: ['kubernetes'], database: [], secret: ['kv'] } })

describe('plugin list', () => {
  it('shows all types, or one', async () => {
    const all = await runFake(['plugin', 'list'], { answer: catalog })
    expect(all.requests[0]).toMatchObject({ method: 'GET', path: '/v1/sys/plugins/catalog' })
    expect(all.out).toBe(
      'Name          Type      Version\n----          ----      -------\nkubernetes    auth      v0.22.0+builtin\nkv            secret    v0.25.0+builtin\n',
    )
    const one = await runFake(['plugin', 'list', 'secret'], { answer: catalog })
    expect(one.out).toBe('Name    Version\n----    -------\nkv      v0.25.0+builtin\n')
    const detailed = await runFake(['plugin', 'list', '-detailed', 'auth'], { answer: catalog })
    expect(detailed.out).toContain('Name          Type    Version            Deprecation Status\n')
  })

  it('as JSON has names by type and the details, of one type only these', async () => {
    const { out } = await runFake(['plugin', 'list', '-format=json'], { answer: catalog })
    expect(JSON.parse(out)).toEqual({ auth: ['kubernetes'], database: [], secret: ['kv'], details: [kubernetes, kv] })
    const secret = await runFake(['plugin', 'list', '-format=json', 'secret'], { answer: catalog })
    expect(JSON.parse(secret.out)).toEqual({ secret: ['kv'], details: [kv] })
  })

  it('of an unknown type is 2, and asks nothing', async () => {
    const { status, err, requests } = await runFake(['plugin', 'list', 'secrets'])
    expect([status, err, requests]).toEqual([2, '"secrets" is not a supported plugin type\n', []])
  })
})

describe('plugin info', () => {
  const info = () => envelopeOf({ data: { ...kv, args: null, command: '', sha256: '' } })

  it('shows the members that Vault shows, or one', async () => {
    const { out, requests } = await runFake(['plugin', 'info', '-version=v1', 'secret', 'kv'], { answer: info })
    expect(requests[0]?.path).toBe('/v1/sys/plugins/catalog/secret/kv?version=v1')
    expect(out).toContain('deprecation_status    supported\n')
    expect(out).not.toContain('type ')
    expect((await runFake(['plugin', 'info', '-field=version', 'secret', 'kv'], { answer: info })).out).toBe(kv.version)
  })

  it('of none is 2', async () => {
    const none = await runFake(['plugin', 'info', 'auth', 'x'], {
      answer: () => ({ status: 404, body: '{"errors":[]}' }),
    })
    expect([none.status, none.err]).toEqual([2, 'No value found for plugin "x"\n'])
    expect((await runFake(['plugin', 'info', 'x'])).status).toBe(1)
  })
})

describe('what changes the catalog', () => {
  const refusal = 'plugins cannot be registered or removed: this server runs only what it was built with'
  const refuse = () => ({ status: 400, body: JSON.stringify({ errors: [refusal] }) })

  it('register sends what a Vault server wants, and says why this one refuses', async () => {
    const argv = ['plugin', 'register', '-sha256=ab', '-args=--a,--b', '-version=v1', 'auth', 'mine']
    const { status, err, requests } = await runFake(argv, { answer: refuse })
    expect(requests[0]).toMatchObject({ method: 'PUT', path: '/v1/sys/plugins/catalog/auth/mine' })
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({
      type: 'auth',
      command: 'mine',
      sha256: 'ab',
      args: ['--a', '--b'],
      version: 'v1',
    })
    expect(status).toBe(2)
    expect(err).toMatch(/^Error registering plugin mine: /)
    expect(err).toContain(refusal)
    expect((await runFake(argv)).out).toBe('Success! Registered plugin: mine\n')
  })

  it('register without the hash of the program is wrong use', async () => {
    const { status, err } = await runFake(['plugin', 'register', 'auth', 'mine'])
    expect([status, err]).toEqual([1, expect.stringContaining('SHA256 is required for all plugins')])
  })

  it('deregister', async () => {
    const { status, out, requests } = await runFake(['plugin', 'deregister', '-version=v1', 'auth', 'mine'])
    expect(requests[0]).toMatchObject({ method: 'DELETE', path: '/v1/sys/plugins/catalog/auth/mine?version=v1' })
    expect([status, out]).toEqual([0, 'Success! Deregistered plugin (if it was registered): mine\n'])
  })

  it('reload takes a plugin or mounts, not both', async () => {
    const answer = () => envelopeOf({ data: { reload_id: 'r-1' } })
    const one = await runFake(['plugin', 'reload', '-plugin=kv', '-scope=global'], { answer })
    expect(one.requests[0]?.body).toBe('{"plugin":"kv","scope":"global"}')
    expect(one.out).toBe('Success! Reloading plugin: kv, reload_id: r-1\n')
    const two = await runFake(['plugin', 'reload', '-mounts=a/,b/'])
    expect(two.requests[0]?.body).toBe('{"mounts":["a/","b/"]}')
    expect(two.out).toBe('Success! Reloaded mounts: [a/ b/]\n')
    for (const flags of [[], ['-plugin=a', '-mounts=b'], ['-plugin=a', '-scope=here']]) {
      expect(await runFake(['plugin', 'reload', ...flags])).toMatchObject({ status: 1, requests: [] })
    }
  })
})
