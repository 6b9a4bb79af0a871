/** Metrics of one process as they travel to another, and of several processes as one. */
import type { Aggregate } from '../../../server/telemetry/summary.ts'
import type { Labels, Series } from '../../../server/telemetry/telemetry.ts'

type Interval = Aggregate & { readonly seconds: number }

export type SeriesImage = { readonly name: string; readonly labels: Labels } & (
  | { readonly kind: 'counter'; readonly value: number }
  | { readonly kind: 'gauge'; readonly value: number }
  | {
      readonly kind: 'summary'
      readonly count: number
      readonly sum: number
      /** Of the window that quantiles are taken from. */
      readonly values: Float64Array
      readonly interval: Interval | undefined
    }
)

export function imageOf(series: readonly Series[]): SeriesImage[] {
  return series.map((one) => {
    const { name, labels } = one
    if (one.kind === 'counter') return { name, labels, kind: one.kind, value: one.counter.value }
    if (one.kind === 'gauge') return { name, labels, kind: one.kind, value: one.gauge.value }
    const { count, sum } = one.summary
    return { name, labels, kind: one.kind, count, sum, values: one.summary.window(), interval: one.summary.interval() }
  })
}

/** For the exposition. */
export function seriesOf(images: readonly SeriesImage[]): Series[] {
  return images.map((image) => {
    const { name, labels } = image
    if (image.kind === 'counter') return { name, labels, kind: image.kind, counter: { value: image.value } }
    if (image.kind === 'gauge') return { name, labels, kind: image.kind, gauge: { value: image.value } }
    const { count, sum, values, interval } = image
    const sorted = values.slice().sort()
    const quantiles = (wanted: readonly number[]) =>
      wanted.map((q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN)
    const summary = { count, sum, quantiles, interval: () => interval, window: () => values }
    return { name, labels, kind: image.kind, summary }
  })
}

/** Of gauges that are no amounts: the worst of all processes. */
const worst: Readonly<Record<string, (a: number, b: number) => number>> = {
  'core.unsealed': Math.min,
  'core.active': Math.min,
  '!process_start_time_seconds': Math.min,
  '!nodejs_eventloop_lag_mean_seconds': Math.max,
  '!nodejs_eventloop_lag_max_seconds': Math.max,
  '!nodejs_eventloop_lag_p50_seconds': Math.max,
  '!nodejs_eventloop_lag_p90_seconds': Math.max,
  '!nodejs_eventloop_lag_p99_seconds': Math.max,
}

/** By name; amounts add up. */
export function merged(all: readonly (readonly SeriesImage[])[]): SeriesImage[] {
  const found = new Map<string, SeriesImage>()
  for (const images of all) {
    for (const image of images) {
      const key = `${image.name}\n${JSON.stringify(Object.entries(image.labels).sort())}`
      const before = found.get(key)
      found.set(key, before ? added(before, image) : image)
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

/** What stays of a process that is gone: without it sums would go down, which readers take for a restart of the node. */
export function lasting(images: readonly SeriesImage[]): SeriesImage[] {
  return images.flatMap((image): SeriesImage[] => {
    if (image.kind === 'counter') return [image]
    return image.kind === 'summary' ? [{ ...image, values: new Float64Array(0), interval: undefined }] : []
  })
}

function added(a: SeriesImage, b: SeriesImage): SeriesImage {
  const { name, labels } = a
  if (a.kind === 'summary') {
    if (b.kind !== 'summary') return a
    const values = new Float64Array(a.values.length + b.values.length)
    values.set(a.values)
    values.set(b.values, a.values.length)
    const interval = a.interval && b.interval ? joined(a.interval, b.interval) : (a.interval ?? b.interval)
    return { name, labels, kind: 'summary', count: a.count + b.count, sum: a.sum + b.sum, values, interval }
  }
  if (b.kind !== a.kind) return a
  // Not set in one of them.
  if (Number.isNaN(a.value) || Number.isNaN(b.value)) return Number.isNaN(a.value) ? b : a
  const value = a.kind === 'gauge' && Object.hasOwn(worst, name) ? worst[name]?.(a.value, b.value) : a.value + b.value
  return { name, labels, kind: a.kind, value: value ?? Number.NaN }
}

function joined(a: Interval, b: Interval): Interval {
  const count = a.count + b.count
  const sum = a.sum + b.sum
  const squares = squaresOf(a) + squaresOf(b)
  const variance = count < 2 ? 0 : (squares - (sum * sum) / count) / (count - 1)
  return {
    count,
    sum,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    mean: sum / count,
    stddev: Math.sqrt(Math.max(0, variance)),
    seconds: a.seconds,
  }
}

const squaresOf = ({ count, sum, stddev }: Interval) => stddev * stddev * (count - 1) + (sum * sum) / count
