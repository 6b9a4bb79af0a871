/** `telemetry { … }`. */
import { blocks, members } from '../../../lib/hcl/read.ts'
import type { HclObject } from '../../../lib/hcl/tree.ts'
import { type Accepted, boolOf, checkSettings, durationOf, textOf } from './settings.ts'

export interface TelemetryConfig {
  /** Before the name of each metric. */
  readonly prefix: string
  /** How old a count of tokens, leases or entities may be when metrics are read. */
  readonly usagePeriodMs: number
}

const scrape = 'metrics are read from sys/metrics?format=prometheus, never sent'
const pushed = [
  'statsite_address',
  'statsd_address',
  'dogstatsd_addr',
  'dogstatsd_tags',
  'circonus_api_token',
  'circonus_submission_url',
  'stackdriver_project_id',
]

const accepted: Accepted = {
  where: 'telemetry',
  read: ['metrics_prefix', 'usage_gauge_period', 'disable_hostname', 'prometheus_retention_time'],
  inert: {
    enable_hostname_label: 'what scrapes adds the host',
    maximum_gauge_cardinality: 'a process keeps at most 5,000 series',
    lease_metrics_epsilon: 'leases are not counted by their end',
    num_lease_metrics_buckets: 'leases are not counted by their end',
    add_lease_metrics_namespace_labels: 'leases are not counted by their end',
    filter_default: 'every metric is there',
    prefix_filter: 'every metric is there',
    rollback_metrics_include_mount_point: 'there are no rollback operations',
  },
  refused: Object.fromEntries(pushed.map((name) => [name, scrape])),
}

export function readTelemetry(document: HclObject): { telemetry: TelemetryConfig; warnings: string[] } {
  const warnings: string[] = []
  let telemetry: TelemetryConfig = { prefix: 'vault', usagePeriodMs: 600_000 }
  for (const { body } of blocks(document, 'telemetry', 0)) {
    warnings.push(...checkSettings(body, accepted))
    const settings = members(body)
    const hostname = settings['disable_hostname']
    if (boolOf(hostname) === false) {
      warnings.push('"disable_hostname" in telemetry has no effect: host names are never part of a metric')
    }
    if (settings['prometheus_retention_time']) {
      warnings.push('"prometheus_retention_time" in telemetry has no effect: metrics last as long as the process')
    }
    telemetry = {
      prefix: textOf(settings['metrics_prefix']) ?? telemetry.prefix,
      usagePeriodMs: durationOf(settings['usage_gauge_period']) ?? telemetry.usagePeriodMs,
    }
  }
  return { telemetry, warnings }
}
