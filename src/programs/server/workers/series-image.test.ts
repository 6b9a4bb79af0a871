import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { prometheusText } from '../../../server/telemetry/exposition.ts'
import { Telemetry } from '../../../server/telemetry/telemetry.ts'
import { NodeMetrics } from './node-metrics.ts'
import { imageOf, lasting, merged, seriesOf } from './series-image.ts'

const clock = new FakeClock(0)

async function measured(fill: (telemetry: Telemetry) => void) {
  const telemetry = new Telemetry({ clock })
  fill(telemetry)
  // As between processes.
  return structuredClone(imageOf(await telemetry.collect()))
}

it('counters, amounts and summaries of all processes are one', async () => {
  const first = await measured((t) => {
    t.counter('requests').add(3)
    t.gauge('in_flight').set(2)
    t.gauge('core.unsealed').set(1)
    for (const value of [1, 2, 3, 4]) t.summary('took').observe(value)
  })
  const second = await measured((t) => {
    t.counter('requests').add(4)
    t.gauge('in_flight').set(5)
    t.gauge('core.unsealed').set(0)
    t.gauge('only.here', { namespace: 'root' }).set(9)
    for (const value of [10, 20]) t.summary('took').observe(value)
  })
  const all = await measured((t) => {
    t.counter('requests').add(7)
    t.gauge('in_flight').set(7)
    // One of them is sealed.
    t.gauge('core.unsealed').set(0)
    t.gauge('only.here', { namespace: 'root' }).set(9)
    for (const value of [1, 2, 3, 4, 10, 20]) t.summary('took').observe(value)
  })
  const shown = prometheusText(seriesOf(merged([first, second])), 'x')
  expect(shown).toBe(prometheusText(seriesOf(all), 'x'))
  expect(shown).toContain('x_took{quantile="0.99"} 20')
  const [joined] = seriesOf(merged([first, second])).filter(({ name }) => name === 'took')
  const [whole] = seriesOf(all).filter(({ name }) => name === 'took')
  if (joined?.kind !== 'summary' || whole?.kind !== 'summary') throw new Error('no summary')
  expect(joined.summary.interval()?.stddev).toBeCloseTo(whole.summary.interval()?.stddev ?? 0, 9)
  expect(joined.summary.interval()).toMatchObject({ count: 6, min: 1, max: 20, sum: 40 })
})

it('series with the same name and other labels stay apart', async () => {
  const of = (namespace: string) => measured((t) => t.counter('tokens', { namespace }).add(1))
  expect(merged([await of('a'), await of('b'), await of('a')]).map((one) => 'value' in one && one.value)).toEqual([
    2, 1,
  ])
})

it('what a process counted outlives it, what it held does not', async () => {
  const images = await measured((t) => {
    t.counter('requests').add(3)
    t.gauge('in_flight').set(2)
    t.summary('took').observe(5)
  })
  expect(lasting(images).map(({ name }) => name)).toEqual(['requests', 'took'])
  const metrics = new NodeMetrics()
  metrics.keep({ images })
  const fresh = await measured((t) => t.counter('requests').add(1))
  const [requests] = await metrics.all([{ images: [], ask: async () => fresh }])
  expect(requests).toMatchObject({ name: 'requests', value: 4 })
})

it('a process that does not answer counts as it last did', async () => {
  const metrics = new NodeMetrics()
  const images = await measured((t) => t.counter('requests').add(3))
  const silent = { images, ask: async () => undefined }
  expect(await metrics.all([silent])).toEqual(images)
})
