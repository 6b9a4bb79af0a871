import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { systemRandom } from '../../../lib/random.ts'
import type { AuditedResponse } from '../../contracts/audit.ts'
import { fakeAudited } from '../../contracts/fake-audited.ts'
import { FakeRows } from '../../contracts/fake-rows.ts'
import { AuditBroker } from './audit-broker.ts'

const request = fakeAudited()
const response: AuditedResponse = { at: 0, data: undefined, warnings: [] }

it('each line is timed, for all devices and for each; lines that none took are counted', async () => {
  const seen: string[] = []
  const timer = (name: string) => ({ observe: (ms: number) => void seen.push(`${name} ${ms}`) })
  const count = (name: string) => ({ add: () => void seen.push(name) })
  const clock = new FakeClock()
  let fails = false
  const devices = {
    slow: {
      type: 'slow',
      open: async () => ({
        type: 'slow',
        write: async () => {
          await clock.sleep(5)
          if (fails) throw new Error('disk full')
        },
        close: async () => {},
      }),
    },
  }
  const broker = new AuditBroker({
    ...{ rows: new FakeRows(), clock, random: systemRandom, log: silentLog, devices, node: 'n' },
    metrics: {
      auditRequest: timer('request'),
      auditResponse: timer('response'),
      auditRequestFailure: count('request failed'),
      auditResponseFailure: count('response failed'),
      auditDevice: (path) => ({ request: timer(`${path} request`), response: timer(`${path} response`) }),
    },
  })
  await broker.enable('slow', { type: 'slow' })
  const during = async (work: Promise<void>) => {
    seen.length = 0
    const done = work.catch(() => {})
    await clock.advance(5)
    await done
    return seen
  }
  expect(await during(broker.request(request))).toEqual(['slow/ request 5', 'request 5'])
  expect(await during(broker.response(request, response))).toEqual(['slow/ response 5', 'response 5'])
  expect(await during(broker.exchange(request, response))).toEqual([
    ...['slow/ request 5', 'slow/ response 5'],
    ...['request 5', 'response 5'],
  ])
  fails = true
  expect(await during(broker.request(request))).toEqual(['request 5', 'request failed'])
  expect(await during(broker.exchange(request, response))).toEqual([
    ...['request 5', 'response 5'],
    ...['request failed', 'response failed'],
  ])
  fails = false
  const closing = broker.close()
  await clock.advance(100)
  await closing
})
