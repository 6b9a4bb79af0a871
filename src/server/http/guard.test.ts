import { describe, expect, it } from 'vitest'
import type { CorsRules } from './cors.ts'
import { customHeadersFor, isStatusSelector } from './custom-headers.ts'
import { blockListOf, type ForwardedForRules } from './forwarded-for.ts'
import { type GuardOptions, guard } from './guard.ts'
import { type HttpRequest, plain } from './handler.ts'

const rules: CorsRules = { origins: ['https://app.example'], headers: ['X-Vault-Token', 'X-Mine'], credentials: true }
const closed: GuardOptions = { requireRequestHeader: false, cors: () => undefined }

async function send(options: Partial<GuardOptions>, more: Partial<HttpRequest> & { headers?: Record<string, string> }) {
  const seen: HttpRequest[] = []
  const handler = guard(
    async (request) => {
      seen.push(request)
      return { status: 200, headers: { 'Cache-Control': 'no-store' }, body: 'handled' }
    },
    { ...closed, ...options },
  )
  const answer = await handler({
    method: 'GET',
    target: '/v1/sys/health?x=1',
    rawHeaders: Object.entries(more.headers ?? {}).flat(),
    remote: { address: '10.0.0.1', port: 9 },
    ...more,
  })
  return { ...answer, seen }
}

describe('what a listener answers itself', () => {
  it('is known by its path, however that is spelled', async () => {
    const before: GuardOptions['before'] = (_request, path) =>
      path === '/v1/sys/metrics' ? Promise.resolve(plain(404, [])) : undefined
    for (const target of ['/v1/sys/metrics?format=x', '/v1/sys/%6detrics', '/v1/sys%2Fmetrics']) {
      expect(await send({ before }, { target })).toMatchObject({ status: 404, seen: [] })
    }
    expect((await send({ before }, { target: '/v1/%zz' })).body).toBe('handled')
  })
})

describe('cross-origin requests', () => {
  const cors = () => rules

  it('are nobody’s business when they are off, or without an Origin', async () => {
    const off = await send({}, { headers: { Origin: 'https://evil.example' } })
    expect(off).toMatchObject({ status: 200, body: 'handled', headers: { 'Cache-Control': 'no-store' } })
    expect((await send({ cors }, {})).headers).toEqual({ 'Cache-Control': 'no-store' })
  })

  it('from an origin that is not allowed are refused before the server sees them', async () => {
    const answer = await send({ cors }, { headers: { Origin: 'https://evil.example' } })
    expect(answer).toMatchObject({ status: 403, body: '{"errors":["origin not allowed"]}\n', seen: [] })
    expect(answer.headers).not.toHaveProperty('Access-Control-Allow-Origin')
  })

  it('from an allowed one get their headers beside the answer', async () => {
    const answer = await send({ cors }, { headers: { origin: 'https://app.example' } })
    expect(answer.headers).toEqual({
      'Cache-Control': 'no-store',
      'Access-Control-Allow-Origin': 'https://app.example',
      'Access-Control-Allow-Credentials': 'true',
      Vary: 'Origin',
    })
    const any = { ...rules, origins: ['*'], credentials: false }
    const all = await send({ cors: () => any }, { headers: { Origin: 'null' } })
    expect(all.headers['Access-Control-Allow-Origin']).toBe('null')
    expect(all.headers).not.toHaveProperty('Access-Control-Allow-Credentials')
  })

  it('are announced by a preflight, which the server never sees', async () => {
    const headers = { Origin: 'https://app.example', 'Access-Control-Request-Method': 'LIST' }
    const answer = await send({ cors }, { method: 'OPTIONS', headers })
    expect(answer).toMatchObject({ status: 204, body: '', seen: [] })
    expect(answer.headers).toMatchObject({
      'Access-Control-Allow-Methods': 'DELETE,GET,OPTIONS,PATCH,POST,PUT,LIST,SCAN',
      'Access-Control-Allow-Headers': 'X-Vault-Token,X-Mine',
      'Access-Control-Max-Age': '300',
    })
    const trace = await send(
      { cors },
      { method: 'OPTIONS', headers: { ...headers, 'Access-Control-Request-Method': 'TRACE' } },
    )
    expect(trace).toMatchObject({ status: 405, seen: [] })
  })
})

describe('X-Forwarded-For', () => {
  const trust = (more: Partial<ForwardedForRules> = {}): Partial<GuardOptions> => {
    const authorized = blockListOf(['10.0.0.0/8', '::1'])
    if (!authorized) throw new Error('no list')
    return {
      forwardedFor: { authorized, hopSkips: 0, rejectNotPresent: true, rejectNotAuthorized: true, ...more },
    }
  }
  const from = (value: string, address = '10.0.0.1') => ({
    remote: { address, port: 9 },
    headers: { 'X-Forwarded-For': value },
  })
  const address = async (options: Partial<GuardOptions>, request: Parameters<typeof send>[1]) =>
    (await send(options, request)).seen[0]?.remote

  it('is believed from a trusted proxy alone', async () => {
    expect(await address(trust(), from('1.2.3.4'))).toEqual({ address: '1.2.3.4', port: 9 })
    expect(await address(trust(), from('2001:db8::1', '::1'))).toEqual({ address: '2001:db8::1', port: 9 })
    expect(await address(trust(), from('1.2.3.4', '::ffff:10.9.9.9'))).toEqual({ address: '1.2.3.4', port: 9 })
    expect(await send(trust(), from('1.2.3.4', '192.0.2.1'))).toMatchObject({
      status: 400,
      body: expect.stringContaining('client address not authorized for x-forwarded-for'),
      seen: [],
    })
    const lenient = trust({ rejectNotAuthorized: false })
    expect(await address(lenient, from('1.2.3.4', '192.0.2.1'))).toEqual({ address: '192.0.2.1', port: 9 })
  })

  it('counts from the right, past the proxies', async () => {
    expect(await address(trust({ hopSkips: 1 }), from('6.6.6.6, 1.2.3.4 ,10.0.0.7'))).toMatchObject({
      address: '1.2.3.4',
    })
    const short = await send(trust({ hopSkips: 3 }), from('1.2.3.4'))
    expect(short).toMatchObject({ status: 400, body: expect.stringContaining('hops to skip (3) would skip before') })
  })

  it('must be there, and be an address, unless the rules say otherwise', async () => {
    const missing = await send(trust(), {})
    expect(missing).toMatchObject({ status: 400, body: expect.stringContaining('missing x-forwarded-for header') })
    expect(await address(trust({ rejectNotPresent: false }), {})).toMatchObject({ address: '10.0.0.1' })
    expect(await send(trust(), from('evil\\"name'))).toMatchObject({ status: 400, seen: [] })
  })

  it('proxies are addresses or blocks', () => {
    for (const wrong of ['host', '10.0.0.0/33', '10.0.0.0/x', '::1/129', ''])
      expect(blockListOf([wrong])).toBeUndefined()
  })
})

describe('custom response headers', () => {
  const customHeaders = {
    default: { 'X-A': 'default', 'X-D': 'd' },
    '2xx': { 'X-A': 'class' },
    '200': { 'X-A': 'status', 'Cache-Control': 'public' },
  }

  it('are chosen by status, the most particular first, and never replace the server’s own', async () => {
    const answer = await send({ customHeaders, headers: { 'X-Vault-Hostname': 'h' } }, {})
    expect(answer.headers).toEqual({
      'X-A': 'status',
      'X-D': 'd',
      'X-Vault-Hostname': 'h',
      'Cache-Control': 'no-store',
    })
    expect(customHeadersFor(customHeaders, 204)).toEqual({ 'X-A': 'class', 'X-D': 'd' })
    expect(customHeadersFor(customHeaders, 404)).toEqual({ 'X-A': 'default', 'X-D': 'd' })
  })

  it('are on refusals of the listener too', async () => {
    const answer = await send({ customHeaders, requireRequestHeader: true }, {})
    expect(answer).toMatchObject({ status: 412, headers: { 'X-A': 'default' }, seen: [] })
  })

  it('are for statuses that exist', () => {
    expect(['default', '1xx', '5xx', '404'].every(isStatusSelector)).toBe(true)
    expect(['6xx', '99', '600', 'Default', '4x4', ''].some(isStatusSelector)).toBe(false)
  })
})

describe('a listener', () => {
  it('may ask for X-Vault-Request', async () => {
    const refused = await send({ requireRequestHeader: true }, { headers: { 'X-Vault-Request': 'yes' } })
    expect(refused).toMatchObject({
      status: 412,
      body: '{"errors":["missing \\"X-Vault-Request\\" header"]}\n',
      seen: [],
    })
    const passed = await send({ requireRequestHeader: true }, { headers: { 'x-vault-request': 'true' } })
    expect(passed.status).toBe(200)
  })

  it('may answer a path itself, given without its query', async () => {
    const before: GuardOptions['before'] = (_, path) =>
      path === '/v1/sys/health' ? Promise.resolve(plain(418, [])) : undefined
    expect(await send({ before }, {})).toMatchObject({ status: 418, seen: [] })
    expect(await send({ before }, { target: '/v1/sys/healthy' })).toMatchObject({ status: 200 })
  })
})
