/** Metrics as Prometheus reads them (text format 0.0.4) and as Vault's JSON has them. */
import type { JsonObject } from '../../lib/json/value.ts'
import type { Labels, Series } from './telemetry.ts'

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

const quantiles = [0.5, 0.9, 0.99]

/** `prefix`: "vault". A name that begins with `!` is shown without it, for what Prometheus itself names (process_…). */
export function prometheusText(series: readonly Series[], prefix: string): string {
  const lines: string[] = []
  let last = ''
  for (const one of series) {
    const name = metricName(one.name, prefix)
    const samples = samplesOf(one, name)
    if (samples.length === 0) continue
    if (name !== last) lines.push(`# HELP ${name} ${name}`, `# TYPE ${name} ${one.kind}`)
    last = name
    lines.push(...samples)
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

function samplesOf(one: Series, name: string): string[] {
  const { labels } = one
  if (one.kind === 'counter') return [`${name}${labelText(labels)} ${number(one.counter.value)}`]
  if (one.kind === 'gauge') {
    return Number.isNaN(one.gauge.value) ? [] : [`${name}${labelText(labels)} ${number(one.gauge.value)}`]
  }
  const { summary } = one
  if (summary.count === 0) return []
  const values = summary.quantiles(quantiles)
  return [
    ...quantiles.map((q, i) => `${name}${labelText({ ...labels, quantile: String(q) })} ${number(values[i] ?? NaN)}`),
    `${name}_sum${labelText(labels)} ${number(summary.sum)}`,
    `${name}_count${labelText(labels)} ${number(summary.count)}`,
  ]
}

/** Vault turns what Prometheus does not allow into "_"; so `route.read.secret/` becomes vault_route_read_secret_. */
export function metricName(name: string, prefix: string): string {
  const whole = name.startsWith('!') ? name.slice(1) : prefix === '' ? name : `${prefix}.${name}`
  const legal = whole.replace(/[^a-zA-Z0-9_:]/g, '_')
  return /^[0-9]/.test(legal) ? `_${legal}` : legal
}

function labelText(labels: Labels): string {
  const entries = Object.entries(labels)
  if (entries.length === 0) return ''
  return `{${entries.map(([name, value]) => `${name.replace(/[^a-zA-Z0-9_]/g, '_')}="${escaped(value)}"`).join(',')}}`
}

const escaped = (text: string) => text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"')

const number = (value: number) =>
  Number.isNaN(value) ? 'NaN' : value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value)

/** As Vault's go-metrics writes an interval: `Samples` of the last 10 s, `Counters` since the start. */
export function metricsJson(series: readonly Series[], prefix: string, now: number): JsonObject {
  const gauges: JsonObject[] = []
  const counters: JsonObject[] = []
  const samples: JsonObject[] = []
  for (const one of series) {
    const Name = one.name.startsWith('!') ? one.name.slice(1) : prefix === '' ? one.name : `${prefix}.${one.name}`
    const Labels: JsonObject = { ...one.labels }
    if (one.kind === 'gauge') {
      if (Number.isFinite(one.gauge.value)) gauges.push({ Name, Value: one.gauge.value, Labels })
    } else if (one.kind === 'counter') {
      counters.push({ Name, Count: one.counter.value, Sum: one.counter.value, Labels })
    } else {
      const interval = one.summary.interval()
      if (!interval) continue
      const { count, sum, min, max, mean, stddev, seconds } = interval
      const rate = { Rate: sum / seconds, Sum: sum, Min: min, Max: max, Mean: mean, Stddev: stddev }
      samples.push({ Name, Count: count, ...rate, Labels })
    }
  }
  const Timestamp = `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`
  return { Timestamp, Gauges: gauges, Points: [], Counters: counters, Samples: samples }
}
