import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { refusalOf } from '../answer/refusal-of.ts'
import { Deadline } from '../deadline.ts'
import type { Exchange, Incoming } from '../exchange.ts'
import { TestServer } from '../test-server.ts'
import type { RequestLimits } from './request-limits.ts'

const incoming = (limits: RequestLimits): Incoming => ({
  verb: 'read',
  path: 'a',
  query: {},
  headers: {},
  token: '',
  namespace: '',
  wrapTtlMs: 0,
  remote: { address: '127.0.0.1', port: 1 },
  limits,
})

describe('the time that a request may take', () => {
  it.each([
    [{ durationMs: 5000 }, 5000],
    [{}, 90_000],
  ])('with %j ends after %i ms, in words', async (limits, ms) => {
    const clock = new FakeClock()
    const deadline = new Deadline(clock, incoming(limits))
    const { signal } = deadline
    await clock.advance(ms - 1)
    expect(signal.aborted).toBe(false)
    await clock.advance(1)
    expect(signal.aborted).toBe(true)
    const x = { id: 'r', incoming: incoming(limits), deadline } as Exchange
    expect(refusalOf(x, signal.reason, silentLog)).toMatchObject({
      status: 503,
      errors: [`the request took longer than ${ms / 1000} s`],
    })
  })
})

describe('a request whose answer is refused', () => {
  it('ends what was to give it', () => {
    const deadline = new Deadline(new FakeClock(), incoming({}))
    const { signal } = deadline
    deadline.abandon()
    expect(signal.aborted).toBe(true)
  })
})

describe('the JSON of a request', () => {
  let server: TestServer
  afterEach(() => server.core.close(0))

  async function send(limits: RequestLimits, body: string) {
    server = await TestServer.start()
    const answer = await server.core.handler({
      method: 'POST',
      target: '/v1/sys/tools/hash',
      rawHeaders: ['X-Vault-Token', server.root],
      remote: { address: '127.0.0.1', port: 1 },
      body: Buffer.from(body),
      limits,
    })
    return { status: answer.status, text: String(answer.body) }
  }

  it.each<[string, RequestLimits, string]>([
    ['{"input":"aGk=","x":{"y":{}}}', { json: { maxDepth: 2 } }, 'deeper than 2 levels'],
    ['{"input":"aGk="}', { json: { maxStrings: 1 } }, 'more than 1 strings'],
    ['{"input":"aGkgdGhlcmU="}', { json: { maxStringLength: 6 } }, 'longer than 6'],
    ['{"input":"aGk="}', { json: { maxBytes: 10 } }, 'longer than 10 bytes'],
    ['{"input":"aGk=","x":{"a":1,"b":2,"c":3}}', { maxMembers: 2 }, 'an object of more than 2 members'],
    ['{"input":"aGk=","x":[[1,2,3]]}', { maxElements: 2 }, 'an array of more than 2 elements'],
  ])('%s within %j is refused', async (body, limits, words) => {
    const refused = await send(limits, body)
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('failed to decode JSON input: ')
    expect(refused.text).toContain(words)
  })

  it('as large as the limits allow is read', async () => {
    const limits = { json: { maxDepth: 2, maxStrings: 4, maxStringLength: 5 }, maxMembers: 2, maxElements: 3 }
    expect((await send(limits, '{"input":"aGk=","x":[1,2,"3"]}')).status).toBe(200)
  })
})
