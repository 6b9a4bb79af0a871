import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { JsonNumber } from '../lib/json/value.ts'
import { VaultClient } from './client.ts'
import { envelopeOf, fakeTransport } from './fake-transport.ts'
import { ResponseError } from './response-error.ts'
import { TransportError } from './transport.ts'

const address = 'http://127.0.0.1:8200'
const clientOf = (transport: ReturnType<typeof fakeTransport>, more = {}) =>
  new VaultClient({ transport, clock: new FakeClock(), address, maxRetries: 0, ...more })

describe('VaultClient', () => {
  it('refuses a token that no header can hold, without showing it', async () => {
    const transport = fakeTransport(() => envelopeOf({ data: {} }))
    const asked = clientOf(transport, { token: 'hvs.canary\nX-Other: 1' }).read('a')
    await expect(asked).rejects.toThrow(TransportError)
    await expect(asked).rejects.toThrow(/^(?!.*canary).*non-printable/s)
    expect(transport.requests).toEqual([])
  })

  it('sends token, namespace, wrap TTL and the request mark', async () => {
    const transport = fakeTransport(() => envelopeOf({ data: {} }))
    const client = clientOf(transport, { token: () => 'hvs.one', namespace: 'team' })
    await client.write('secret/data/a', { data: { k: 'v' } }, { wrapTtl: '60s' })
    expect(transport.requests).toEqual([
      {
        method: 'PUT',
        path: '/v1/secret/data/a',
        headers: {
          'X-Vault-Request': 'true',
          'X-Vault-Token': 'hvs.one',
          'X-Vault-Namespace': 'team',
          'X-Vault-Wrap-TTL': '60s',
          'Content-Type': 'application/json',
        },
        body: '{"data":{"k":"v"}}',
      },
    ])
  })

  it('lists by GET, patches as a merge patch, encodes paths and queries', async () => {
    const transport = fakeTransport(() => envelopeOf({ data: { keys: ['a'] } }))
    const client = clientOf(transport)
    await client.list('secret/metadata/a b')
    await client.patch('secret/data/x', { data: {} })
    await client.read('secret/data/ü?#', { version: 3 })
    expect(transport.requests.map((r) => `${r.method} ${r.path} ${r.headers['Content-Type'] ?? ''}`)).toEqual([
      'GET /v1/secret/metadata/a%20b?list=true ',
      'PATCH /v1/secret/data/x application/merge-patch+json',
      'GET /v1/secret/data/%C3%BC%3F%23?version=3 ',
    ])
  })

  it('keeps the text of numbers', async () => {
    const body = '{"request_id":"x","data":{"big":12345678901234567890,"one":1.0,"n":5}}'
    const envelope = await clientOf(fakeTransport(() => ({ body }))).read('a')
    expect(envelope?.data).toEqual({ big: new JsonNumber('12345678901234567890'), one: new JsonNumber('1.0'), n: 5 })
  })

  it('says nothing there for an empty 404 and shows a deleted version', async () => {
    const nothing = clientOf(fakeTransport(() => ({ status: 404, body: '{"errors":[]}' })))
    expect(await nothing.read('a')).toBeUndefined()
    const deleted = clientOf(fakeTransport(() => ({ ...envelopeOf({ data: { data: null } }), status: 404 })))
    expect((await deleted.read('a'))?.data).toEqual({ data: null })
  })

  it('throws the words of the server, and of Vault around them', async () => {
    const body = '{"errors":["1 error occurred:\\n\\t* permission denied\\n\\n"]}'
    const error = await clientOf(fakeTransport(() => ({ status: 403, body })))
      .write('secret/data/x', {})
      .catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ResponseError)
    expect(error).toMatchObject({ status: 403, errors: ['1 error occurred:\n\t* permission denied\n\n'] })
    expect(String((error as Error).message)).toBe(
      'Error making API request.\n\nURL: PUT http://127.0.0.1:8200/v1/secret/data/x\nCode: 403. Errors:\n\n* 1 error occurred:\n\t* permission denied\n\n',
    )
  })

  it('shows an answer that is not JSON as it came', async () => {
    const error = await clientOf(fakeTransport(() => ({ status: 502, body: '<html>bad gateway</html>' })))
      .read('x')
      .catch((e: unknown) => e)
    expect((error as Error).message).toContain('Code: 502. Raw Message:\n\n<html>bad gateway</html>')
  })

  it('takes accepted statuses as answers', async () => {
    const transport = fakeTransport(() => ({ status: 503, body: '{"sealed":true}' }))
    const clock = new FakeClock()
    const client = clientOf(transport, { maxRetries: 2, clock })
    const asked = client.request({ method: 'GET', path: 'sys/health', accept: [503] })
    await clock.advance(10_000)
    expect((await asked).document).toEqual({ sealed: true })
    expect(transport.requests).toHaveLength(1)
  })
})

describe('repeating', () => {
  const run = async (statuses: number[], headers = {}, method: 'GET' | 'PUT' = 'GET') => {
    const clock = new FakeClock()
    const left = [...statuses]
    const transport = fakeTransport(() => {
      const status = left.shift() ?? 200
      if (status === 0) throw new TransportError('cut', { sent: method === 'PUT' })
      return { status, headers, body: status === 200 ? '{}' : '{"errors":["no"]}' }
    })
    const client = new VaultClient({ transport, clock })
    const done = client
      .request({ method, path: 'x' })
      .then((r) => r.status)
      .catch((e: unknown) => (e instanceof ResponseError ? e.status : 'cut'))
    await clock.advance(60_000)
    return { outcome: await done, requests: transport.requests.length }
  }

  it('repeats 412, 429 and 5xx twice, never 501 or 400', async () => {
    expect(await run([503, 412])).toEqual({ outcome: 200, requests: 3 })
    expect(await run([503, 503, 503])).toEqual({ outcome: 503, requests: 3 })
    expect(await run([429], { 'retry-after': '7' })).toEqual({ outcome: 200, requests: 2 })
    expect(await run([501])).toEqual({ outcome: 501, requests: 1 })
    expect(await run([400])).toEqual({ outcome: 400, requests: 1 })
  })

  it('repeats a read after a cut, but not a write that may have arrived', async () => {
    expect(await run([0])).toEqual({ outcome: 200, requests: 2 })
    expect(await run([0], {}, 'PUT')).toEqual({ outcome: 'cut', requests: 1 })
  })
})
