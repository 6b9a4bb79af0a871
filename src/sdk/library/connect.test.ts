import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { type ConnectSocket, SocketRefused } from '../events.ts'
import { envelopeOf, fakeTransport } from '../fake-transport.ts'
import { LoginIncomplete } from '../login/login.ts'
import { ResponseError } from '../response-error.ts'
import { TransportError, type TransportRequest, type TransportResponse } from '../transport.ts'
import { type ConnectOptions, connect } from './connect.ts'
import { kubernetesLogin, passwordLogin } from './logins.ts'

const invalid = { status: 403, body: '{"errors":["permission denied"]}' }
const denied = { status: 403, body: '{"errors":["1 error occurred:\\n\\t* permission denied\\n\\n"]}' }
const granted = (token: string, seconds = 100) =>
  envelopeOf({ auth: { client_token: token, lease_duration: seconds, renewable: true } })

/** A server whose tokens are t1, t2 …; `live` is what it still knows. */
function world(options: Partial<ConnectOptions> & { loginAnswer?: (n: number) => Partial<TransportResponse> } = {}) {
  const clock = new FakeClock()
  const live = new Set<string>()
  let logins = 0
  const answer = (request: TransportRequest) => {
    if (request.path.endsWith('/login') || request.path.includes('/login/')) {
      logins += 1
      const given = options.loginAnswer?.(logins)
      if (given) return given
      live.add(`t${logins}`)
      return granted(`t${logins}`)
    }
    const token = request.headers['X-Vault-Token'] ?? ''
    if (!live.has(token)) return invalid
    if (request.path === '/v1/auth/token/renew-self') return granted(token)
    if (request.path === '/v1/auth/token/revoke-self') live.delete(token)
    if (request.path === '/v1/denied') return denied
    return envelopeOf({ data: { by: token } })
  }
  const transport = fakeTransport(answer)
  const client = connect({
    address: 'http://127.0.0.1:8200',
    login: kubernetesLogin({ role: 'app', jwt: 'a.b.c' }),
    clock,
    random: (size) => new Uint8Array(size),
    transport,
    maxRetries: 0,
    ...options,
  })
  const asked = (path: string) => transport.requests.filter((request) => request.path === `/v1/${path}`)
  return { client, clock, live, asked, requests: transport.requests, logins: () => logins }
}

describe('a client of a program', () => {
  it('says that it has no address', () => {
    const unset = { [String('address')]: undefined, token: 't' }
    for (const options of [{ address: '' }, Object.assign({ address: 'http://x' }, unset)])
      expect(() => connect(options)).toThrow("connect needs an address, as in { address: 'https://127.0.0.1:8200' }")
  })

  it('logs in once, when first used, however many calls wait', async () => {
    const { client, logins, requests, asked } = world()
    expect(requests).toEqual([])
    const answers = await Promise.all([client.read('a'), client.read('b'), client.list('c')])
    expect(answers.map((answer) => answer?.data?.['by'])).toEqual(['t1', 't1', 't1'])
    expect(logins()).toBe(1)
    expect(asked('auth/kubernetes/login')[0]).toMatchObject({ body: '{"role":"app","jwt":"a.b.c"}' })
    expect(asked('auth/kubernetes/login')[0]?.headers['X-Vault-Token']).toBeUndefined()
    await client.close()
  })

  it('renews its token in the background after two thirds of its life', async () => {
    const { client, clock, asked, logins } = world()
    await client.read('a')
    await clock.advance(1)
    const before = asked('auth/token/renew-self').length
    await clock.advance(60_000)
    expect(asked('auth/token/renew-self').length).toBe(before)
    await clock.advance(12_000)
    expect(asked('auth/token/renew-self').length).toBe(before + 1)
    await clock.advance(1_000_000)
    await client.read('a')
    expect(logins()).toBe(1)
    await client.close()
  })

  it('logs in again when the token is gone, and repeats the call', async () => {
    const { client, live, logins } = world()
    await client.read('a')
    live.clear()
    expect((await client.read('a'))?.data).toEqual({ by: 't2' })
    live.clear()
    expect((await client.write('a', { k: 'v' }))?.data).toEqual({ by: 't3' })
    expect(logins()).toBe(3)
    await client.close()
  })

  it('neither logs in again nor repeats when a policy says no', async () => {
    const { client, logins, asked } = world()
    await expect(client.read('denied')).rejects.toThrow(ResponseError)
    expect([logins(), asked('denied').length]).toEqual([1, 1])
    await client.close()
  })

  it('does not repeat for ever when the server refuses a token that it has just given', async () => {
    const { client, logins } = world({ loginAnswer: (n) => granted(`unknown${n}`) })
    await expect(client.read('a')).rejects.toMatchObject({ status: 403 })
    expect(logins()).toBe(1)
    await client.close()
  })

  it('answers with the error of a failed login for a growing while, then tries again', async () => {
    const { client, clock, logins } = world({ loginAnswer: () => ({ status: 500, body: '{"errors":["no"]}' }) })
    const tries = async () => client.read('a').catch((error: Error) => error.constructor.name)
    expect(await tries()).toBe('ResponseError')
    expect(await tries()).toBe('ResponseError')
    expect(logins()).toBe(1)
    await clock.advance(260)
    await tries()
    await clock.advance(260)
    await tries()
    expect(logins()).toBe(2)
    await clock.advance(260)
    await tries()
    expect(logins()).toBe(3)
    await client.close()
  })

  it('lets one caller go by its signal while the login goes on for the others', async () => {
    let answerLogin: (answer: Partial<TransportResponse>) => void = () => {}
    const transport = fakeTransport((request) =>
      request.path.endsWith('/login')
        ? new Promise<Partial<TransportResponse>>((resolve) => {
            answerLogin = resolve
          })
        : envelopeOf({ data: { ok: true } }),
    )
    const { client } = world({ transport })
    const stop = new AbortController()
    const impatient = client.read('a', undefined, { signal: stop.signal })
    const patient = client.read('a')
    stop.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    answerLogin(granted('t'))
    expect((await patient)?.data).toEqual({ ok: true })
    await client.close()
  })

  it('revokes the token of its login at the end, and is of no use afterwards', async () => {
    const { client, clock, live, asked } = world()
    await client.read('a')
    await client.close()
    expect([...live]).toEqual([])
    expect(asked('auth/token/revoke-self')).toHaveLength(1)
    await expect(client.read('a')).rejects.toThrow('the client is closed')
    const { length } = asked('auth/token/renew-self')
    await clock.advance(1_000_000)
    expect(asked('auth/token/renew-self')).toHaveLength(length)
  })

  it('leaves a token that it was given alone', async () => {
    const { live, requests } = world()
    live.add('mine')
    const given = world({ token: 'mine', login: undefined })
    given.live.add('mine')
    expect((await given.client.read('a'))?.data).toEqual({ by: 'mine' })
    await given.client.close()
    expect([...given.live]).toEqual(['mine'])
    expect(requests).toEqual([])
  })

  it('uses a token that may not look at itself, without renewal', async () => {
    const transport = fakeTransport(({ path }) => (path.includes('lookup-self') ? denied : envelopeOf({ data: {} })))
    const { client, clock } = world({ transport, token: 'mine', login: undefined })
    expect((await client.read('a'))?.data).toEqual({})
    await clock.advance(10_000_000)
    expect(transport.requests.map(({ path }) => path)).toEqual(['/v1/auth/token/lookup-self', '/v1/a'])
    await client.close()
  })

  it('says what a second factor needs', async () => {
    const auth = { client_token: '', mfa_requirement: { mfa_request_id: 'm', mfa_constraints: {} } }
    const { client } = world({
      login: passwordLogin({ username: 'ada', password: 'p' }),
      loginAnswer: () => envelopeOf({ auth }),
    })
    const error: unknown = await client.read('a').catch((e: unknown) => e)
    expect(error).toBeInstanceOf(LoginIncomplete)
    expect(error).toMatchObject({ envelope: { auth: { mfa_requirement: { mfa_request_id: 'm' } } } })
    await client.close()
  })

  it('shows no secret in errors nor when it is inspected', async () => {
    const secrets = ['canary-password', 'canary-token', 'canary-value']
    const failing = world({
      login: passwordLogin({ username: 'ada', password: 'canary-password' }),
      loginAnswer: (n) => (n === 1 ? granted('canary-token') : invalid),
    })
    const error: unknown = await failing.client.write('a', { password: 'canary-value' }).catch((e: unknown) => e)
    const cut = world({
      token: 'canary-token',
      login: undefined,
      transport: fakeTransport(() => Promise.reject(new TransportError('cut'))),
    })
    const other: unknown = await cut.client.write('a', { v: 'canary-value' }).catch((e: unknown) => e)
    const shown = inspect([error, other, failing.client, cut.client], { depth: 20, showHidden: true })
    expect(error).toBeInstanceOf(ResponseError)
    expect(other).toBeInstanceOf(TransportError)
    expect(secrets.filter((secret) => shown.includes(secret))).toEqual([])
    await failing.client.close()
    await cut.client.close()
  })
})

describe('a lease of a secret', () => {
  it('is renewed by its id, and ends when the server no longer knows it', async () => {
    let renewals = 0
    const transport = fakeTransport(({ path }) => {
      if (path !== '/v1/sys/leases/renew')
        return envelopeOf({ lease_id: 'db/creds/x', lease_duration: 60, renewable: true, data: {} })
      renewals += 1
      if (renewals > 2) return { status: 400, body: '{"errors":["lease not found"]}' }
      return envelopeOf({ lease_id: 'db/creds/x', lease_duration: 60, renewable: true, data: {} })
    })
    const { client, clock } = world({ transport, token: 't', login: undefined })
    const secret = await client.read('db/creds/x')
    if (!secret) throw new Error('nothing read')
    const ended = client.watchLease(secret, { signal: new AbortController().signal })
    await clock.advance(200_000)
    expect(await ended).toBe('lost')
    const bodies = transport.requests.filter(({ path }) => path === '/v1/sys/leases/renew').map(({ body }) => body)
    expect(bodies).toEqual(Array(3).fill('{"lease_id":"db/creds/x"}'))
    await client.close()
  })
})

describe('events', () => {
  it('come over a new connection with a new token when the old one has ended', async () => {
    const tokens: (string | undefined)[] = []
    const stop = new AbortController()
    const message = JSON.stringify({
      data: { event_type: 'kv-v2/data-write', event: { metadata: { path: 'secret/data/a' } } },
    })
    const connectSocket: ConnectSocket = async (_, headers) => {
      tokens.push(headers['X-Vault-Token'])
      if (!live.has(headers['X-Vault-Token'] ?? '')) throw new SocketRefused(403)
      return (async function* () {
        yield message
      })()
    }
    const { client, clock, live } = world({ connectSocket })
    await client.read('a')
    live.clear()
    const seen: string[] = []
    const done = (async () => {
      for await (const event of client.events('kv-v2/*', { signal: stop.signal })) {
        seen.push(typeof event === 'string' ? event : event.path)
        if (seen.includes('secret/data/a')) stop.abort(new Error('seen'))
      }
    })()
    await clock.advance(1000)
    await done
    expect(tokens).toEqual(['t1', 't2'])
    expect(seen).toEqual(['lost', 'reset', 'secret/data/a'])
    await client.close()
  })
})
