import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { RawJson } from '../../../../lib/json/value.ts'
import type { Turns } from '../../../../lib/turns.ts'
import type { AuditedRequest, AuditedResponse } from '../../../contracts/audit.ts'
import { fakeAudited } from '../../../contracts/fake-audited.ts'
import { fakeMount } from '../../../contracts/fake-call.ts'
import { readDeviceOptions } from '../device-options.ts'
import { exchangeLines, lineOptions, requestLine, responseLine } from './audit-line.ts'
import { LineHasher } from './line-hasher.ts'
import { isLongAnswer, isLongRequest, longExchangeLines, longRequestLine, longResponseLine } from './long-line.ts'

const salt = Buffer.alloc(32, 7)
const options = (given: Record<string, string> = {}) =>
  lineOptions(readDeviceOptions(given, 'file', undefined), new LineHasher(salt))
const text = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString()
const atOnce: Turns = { async next() {} }

const mount = fakeMount({
  config: { ...fakeMount().config, auditNonHmacRequestKeys: ['clear'], auditNonHmacResponseKeys: ['clear'] },
})
const many = (count: number) => Array.from({ length: count }, (_, i) => `canary ${i} "é`)
const request = (more: Partial<AuditedRequest> = {}) =>
  fakeAudited({ operation: 'update', mount, data: { clear: many(10), data: { list: many(700), n: 1 } }, ...more })
const response = (more: Partial<AuditedResponse> = {}): AuditedResponse => ({
  at: 2000,
  data: { keys: many(700), clear: new RawJson('{"a":"seen"}') },
  warnings: ['w'],
  ...more,
})

describe('a long line', () => {
  it.each<[string, Record<string, string>]>([
    ['hashed', {}],
    ['in clear, with a prefix', { log_raw: 'true', prefix: '@cee: ' }],
    ['with elided lists', { elide_list_responses: 'true' }],
  ])('%s says the same as one made at once', async (_, given) => {
    const cases: [AuditedRequest, AuditedResponse][] = [
      [request(), response()],
      [request({ data: undefined, operation: 'list' }), response()],
      [request(), response({ data: undefined, error: 'no' })],
      [request({ error: 'denied' }), response({ data: { a: new RawJson(JSON.stringify(many(700))) } })],
      [request({ data: { a: 'small' } }), response()],
    ]
    for (const [asked, answer] of cases) {
      const [short, long] = [options(given), options(given)]
      const both = await longExchangeLines(asked, answer, long, atOnce)
      expect(both.map(text)).toEqual(exchangeLines(asked, answer, short))
      expect(text(await longRequestLine(asked, long, atOnce))).toBe(requestLine(asked, short))
      expect(text(await longResponseLine(asked, answer, long, atOnce))).toBe(responseLine(asked, answer, short))
    }
  })

  it('of an answer whose request was short takes what its first line said', async () => {
    const [short, long] = [options(), options()]
    const asked = request({ data: undefined })
    requestLine(asked, long)
    expect(text(await longResponseLine(asked, response(), long, atOnce))).toBe(responseLine(asked, response(), short))
  })

  it('tells no value, and the HMAC of each', async () => {
    const line = text(await longRequestLine(request({ data: { list: many(700) } }), options(), atOnce))
    expect(line).not.toContain('canary')
    expect(line).toContain(
      createHmac('sha256', salt)
        .update(many(700)[699] ?? '')
        .digest('hex'),
    )
  })

  it('is made in slices of about 600 HMACs', async () => {
    let turns = 0
    const counting: Turns = {
      async next() {
        turns += 1
      },
    }
    await longRequestLine(request({ data: { list: many(12_000) } }), options(), counting)
    expect(turns).toBeGreaterThanOrEqual(17)
  })

  it('is what has much data, in the request or in the answer', () => {
    const small = request({ data: { a: 'b' } })
    expect([isLongRequest(small), isLongAnswer(small, response({ data: { a: 'b' } }))]).toEqual([false, false])
    expect([isLongRequest(request()), isLongAnswer(small, response())]).toEqual([true, true])
    expect(isLongAnswer(request(), response({ data: undefined }))).toBe(true)
  })
})
