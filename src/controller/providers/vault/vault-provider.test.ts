import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import { SocketRefused } from '../../../sdk/events.ts'
import { envelopeOf, fakeTransport } from '../../../sdk/fake-transport.ts'
import { TransportError, type TransportRequest, type TransportResponse } from '../../../sdk/transport.ts'
import type { StoreEnv } from '../provider.ts'
import { type VaultTarget, vaultProvider } from './vault-provider.ts'

type Answer = Partial<TransportResponse>
const errors = (status: number, ...lines: string[]): Answer => ({ status, body: JSON.stringify({ errors: lines }) })
const auth = (token: string) => ({ client_token: token, lease_duration: 3600, renewable: false, policies: ['p'] })
const kv = (data: object | null) => envelopeOf({ data: { data, metadata: { version: 1 } } })
const kubernetes = { mountPath: 'kubernetes', role: 'r', serviceAccountRef: { name: 'app', audiences: ['vault'] } }
const signal = new AbortController().signal

function setUp(answer: (request: TransportRequest) => Answer, more: Partial<StoreEnv> = {}) {
  const transport = fakeTransport(answer)
  const targets: VaultTarget[] = []
  const messages: string[][] = []
  const provider = vaultProvider({
    dial: (target) => {
      targets.push(target)
      return {
        transport,
        connect: async (_path, headers) => {
          messages.push([headers['X-Vault-Token'] ?? ''])
          return (async function* () {
            yield JSON.stringify({
              data: {
                event_type: 'kv-v2/data-write',
                event: { metadata: { data_path: 'secret/data/a' } },
                plugin_info: { mount_path: 'secret/' },
              },
            })
          })()
        },
      }
    },
  })
  const env: StoreEnv = {
    namespace: 'ns',
    secretValue: async ({ name, key }) => (name === 'tokens' ? Buffer.from(`${key}-value\n`) : undefined),
    configMapValue: async ({ key }) => (key === 'ca.crt' ? '-----BEGIN CERTIFICATE-----\nx' : undefined),
    serviceAccountToken: async (ref) => `jwt of ${JSON.stringify(ref)}`,
    ownToken: async () => undefined,
    maxRetries: 0,
    clock: new FakeClock(),
    random: systemRandom,
    log: silentLog,
    ...more,
  }
  const open = (spec: object) => provider.open({ server: 'http://vault', path: 'secret', ...spec }, env)
  const asked = () =>
    transport.requests.map((one) => `${one.method} ${one.path} ${one.headers['X-Vault-Token'] ?? ''}`.trim())
  return { open, asked, targets, transport, messages }
}

const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()

describe('a vault store', () => {
  it('logs in as a service account once and reads with that token', async () => {
    const vault = setUp(({ path }) => (path.endsWith('/login') ? envelopeOf({ auth: auth('t1') }) : kv({ a: 1 })))
    const session = await vault.open({ auth: { kubernetes } })
    expect(vault.asked()).toEqual([])
    expect(await session.check(signal)).toBe('ready')
    expect(text(await session.reader?.get({ key: 'a' }, signal))).toBe('{"a":1}')
    expect(text(await session.reader?.get({ key: 'a', property: 'a', version: '2' }, signal))).toBe('1')
    expect(vault.asked()).toEqual([
      'PUT /v1/auth/kubernetes/login',
      'GET /v1/secret/data/a t1',
      'GET /v1/secret/data/a?version=2 t1',
    ])
    const { body = '' } = vault.transport.requests[0] ?? {}
    expect(body).toContain('jwt of {\\"name\\":\\"app\\",\\"audiences\\":[\\"vault\\"],\\"ttlSeconds\\":600}')
    await session.close?.()
    expect(vault.asked().at(-1)).toBe('PUT /v1/auth/token/revoke-self t1')
  })

  it('logs in again when its token is dead, but not when a policy denies the path', async () => {
    let logins = 0
    const vault = setUp(({ path, headers }) => {
      if (path.endsWith('/login')) {
        logins += 1
        return envelopeOf({ auth: auth(`t${logins}`) })
      }
      const alive = headers['X-Vault-Token'] === 't2'
      if (path.endsWith('lookup-self')) return alive ? envelopeOf({ data: {} }) : errors(403, 'permission denied')
      return alive && path.endsWith('/a') ? kv({ a: 1 }) : errors(403, 'permission denied')
    })
    const session = await vault.open({ auth: { kubernetes } })
    expect(text(await session.reader?.get({ key: 'a' }, signal))).toBe('{"a":1}')
    expect(logins).toBe(2)
    await expect(session.reader?.get({ key: 'secret' }, signal)).rejects.toMatchObject({ code: 'denied' })
    expect(logins).toBe(2)
  })

  it('asks once for reads of one path at the same time, and anew after a notice', async () => {
    const waiting: (() => void)[] = []
    const vault = setUp(() => ({}))
    const transport = { ...vault.transport }
    transport.send = async (request) => {
      vault.transport.requests.push(request)
      await new Promise<void>((resolve) => waiting.push(resolve))
      return { status: 200, headers: {}, body: '', ...kv({ a: waiting.length }) }
    }
    const provider = vaultProvider({
      dial: () => ({
        transport,
        connect: async () =>
          (async function* () {
            yield '{"data":{"event":{"metadata":{"path":"secret/data/a"}}}}'
          })(),
      }),
    })
    const env = { clock: new FakeClock(), random: systemRandom, log: silentLog, maxRetries: 0, namespace: 'ns' }
    const session = await provider.open({ server: 'http://vault', path: 'secret' }, env as unknown as StoreEnv)
    const reader = session.reader!
    const early = [reader.get({ key: 'a' }, signal), reader.get({ key: 'secret/data/a', property: 'a' }, signal)]
    await expect.poll(() => waiting.length).toBe(1)
    const notices = reader.watch!(signal)[Symbol.asyncIterator]()
    expect((await notices.next()).value).toBe('reset')
    expect((await notices.next()).value).toEqual({ location: 'secret/data/a' })
    const late = reader.get({ key: 'a' }, signal)
    await expect.poll(() => waiting.length).toBe(2)
    for (const go of waiting) go()
    expect((await Promise.all(early)).map(text)).toEqual(['{"a":2}', '2'])
    expect(text(await late)).toBe('{"a":2}')
    expect(vault.asked()).toHaveLength(2)
    await session.close?.()
  })

  it('tells absence only when the engine says so', async () => {
    const answers: Record<string, Answer> = {
      '/v1/secret/data/none': errors(404),
      '/v1/secret/data/deleted': { ...kv(null), status: 404 },
      '/v1/secret/data/nulled': kv(null),
      '/v1/secret/data/unmounted': errors(404, 'no handler for route "secret/data/unmounted"'),
      '/v1/secret/data/proxy': { status: 404, body: '<html>' },
      '/v1/secret/data/page': { status: 200, body: '<html>' },
      '/v1/secret/data/v1': envelopeOf({ data: { a: 1 } }),
    }
    const vault = setUp(({ path }) => answers[path] ?? errors(500))
    const { reader } = await vault.open({})
    for (const key of ['none', 'deleted', 'nulled']) expect(await reader!.get({ key }, signal), key).toBeUndefined()
    for (const key of ['unmounted', 'proxy', 'page', 'v1']) {
      await expect(reader!.get({ key }, signal), key).rejects.toMatchObject({ code: 'failed' })
    }
  })

  it.each([
    [
      'no answer',
      'StoreUnreachable',
      () => {
        throw new TransportError('Get "http://vault/x": connection refused\n\nCheck')
      },
    ],
    ['5xx', 'StoreFailing', () => errors(500, 'internal error')],
    [
      'sealed',
      'StoreSealed',
      ({ path }: TransportRequest) =>
        path.endsWith('seal-status') ? { status: 200, body: '{"sealed":true}' } : errors(503, 'Vault is sealed'),
    ],
  ] as [string, string, (request: TransportRequest) => Answer][])(
    'takes %s for an outage: %s',
    async (_name, reason, answer) => {
      const session = await setUp(answer).open({ auth: { kubernetes } })
      await expect(session.check(signal)).rejects.toMatchObject({ code: 'outage', reason })
      await expect(session.reader!.get({ key: 'a' }, signal)).rejects.toMatchObject({ code: 'outage', reason })
    },
  )

  it('without a login asks whether the server is sealed', async () => {
    const state = { sealed: true }
    const session = await setUp(() => ({ status: 200, body: JSON.stringify(state) })).open({})
    await expect(session.check(signal)).rejects.toMatchObject({ code: 'outage', reason: 'StoreSealed' })
    state.sealed = false
    expect(await session.check(signal)).toBe('ready')
  })

  it('that may not subscribe does not try each second', async () => {
    const clock = new FakeClock()
    let tries = 0
    const transport = fakeTransport(() => envelopeOf({ auth: auth('t') }))
    const connect = async () => {
      tries += 1
      throw new SocketRefused(403)
    }
    const env = { clock, random: systemRandom, log: silentLog, maxRetries: 0, namespace: 'ns' } as unknown as StoreEnv
    const session = await vaultProvider({ dial: () => ({ transport, connect }) }).open({ server: 'http://vault' }, env)
    const stop = new AbortController()
    const heard = session.reader!.watch!(stop.signal)[Symbol.asyncIterator]().next()
    await clock.advance(200_000)
    expect(tries).toBe(1)
    stop.abort(new Error('enough'))
    expect((await heard).done).toBe(true)
  })

  it('takes a refused login for denied', async () => {
    const session = await setUp(() => errors(403, 'permission denied')).open({ auth: { kubernetes } })
    await expect(session.check(signal)).rejects.toMatchObject({ code: 'denied' })
  })

  it('reads its token from a Secret, again when it was refused', async () => {
    let reads = 0
    const vault = setUp(({ headers }) => (headers['X-Vault-Token'] === 'token2' ? kv({ a: 1 }) : errors(403)), {
      secretValue: async () => {
        reads += 1
        return Buffer.from(`token${reads}`)
      },
    })
    const session = await vault.open({ auth: { tokenSecretRef: { name: 'tokens', key: 'token' } } })
    expect(text(await session.reader!.get({ key: 'a' }, signal))).toBe('{"a":1}')
    await session.close?.()
    expect(vault.asked().filter((line) => line.includes('revoke'))).toEqual([])
  })

  it('sends namespace, headers and CA, and names the login namespace', async () => {
    const vault = setUp(({ path }) => (path.endsWith('/login') ? envelopeOf({ auth: auth('t') }) : kv({})))
    const session = await vault.open({
      namespace: 'team',
      headers: { 'X-Extra': 'e' },
      readYourWrites: true,
      forwardInconsistent: true,
      caProvider: { type: 'ConfigMap', name: 'ca' },
      auth: { namespace: 'admin', kubernetes: { ...kubernetes, mountPath: 'k8s' } },
    })
    await session.reader!.get({ key: 'a' }, signal)
    expect(vault.targets).toEqual([{ address: 'http://vault', caCertPem: '-----BEGIN CERTIFICATE-----\nx' }])
    expect(vault.transport.requests.map((one) => [one.path, one.headers['X-Vault-Namespace']])).toEqual([
      ['/v1/auth/k8s/login', 'admin'],
      ['/v1/secret/data/a', 'team'],
    ])
    expect(vault.transport.requests[1]?.headers).toMatchObject({
      'X-Extra': 'e',
      'X-Vault-Inconsistent': 'forward-active-node',
    })
  })

  it.each([
    [
      { auth: { appRole: { path: 'approle' } } },
      'spec.provider.vault.auth.appRole is not supported; supported are kubernetes',
    ],
    [{ auth: {} }, 'no valid auth method specified'],
    [
      { auth: { kubernetes: { ...kubernetes, serviceAccountRef: { name: 'a', namespace: 'other' } } } },
      'namespace should either be empty',
    ],
    [{ server: 'vault:8200', version: 'v3' }, 'spec.provider.vault.version'],
    [{ server: 'no url' }, 'is no URL'],
    [{ caBundle: 'bm90IGEgY2VydA==' }, 'no certificate'],
    [{ caProvider: { type: 'ConfigMap', name: 'ca', key: 'x' } }, 'ConfigMap ca has no key "x"'],
    [{ caProvider: { type: 'ConfigMap', name: 'ca', namespace: 'ns' } }, 'must not be set'],
  ])('refuses %j', async (spec, words) => {
    await expect(setUp(() => ({})).open(spec)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(words),
    })
  })
})
