/** sys/metrics: Vault's JSON, or Prometheus' text by ?format=prometheus or by Accept. */
import { stringifyJson } from '../../../../../lib/json/stringify.ts'
import { operation, Refusal, type Reply, type Route } from '../../../../contracts/request.ts'
import { metricsJson, prometheusContentType, prometheusText } from '../../../../telemetry/exposition.ts'
import type { Series, Telemetry } from '../../../../telemetry/telemetry.ts'

export interface MetricsOptions {
  readonly telemetry: Telemetry
  /** Of all processes of this node. */
  readonly collect: () => Promise<readonly Series[]>
  /** "vault", unless the configuration's telemetry stanza says otherwise. */
  readonly metricsPrefix: string
}

export function metricsRoutes(options: MetricsOptions): Route[] {
  const read = operation({
    input: { format: { kind: 'string', description: 'prometheus; else JSON', default: '' } },
    namespaces: 'root',
    handle: (call) => metricsReply(options, call.input.format, call.headers['accept'] ?? ''),
  })
  return [{ path: 'metrics', summary: 'What this node has counted and measured.', on: { read } }]
}

/** Also for listeners that show metrics to everyone (`unauthenticated_metrics_access`). */
export async function metricsReply(
  { telemetry, collect, metricsPrefix }: MetricsOptions,
  format: string,
  accept: string,
): Promise<Extract<Reply, { kind: 'raw' }> & { body: Uint8Array }> {
  const chosen = format === '' && wantsPrometheus(accept) ? 'prometheus' : format
  if (chosen !== '' && chosen !== 'prometheus') {
    throw new Refusal(400, `metric response format ${JSON.stringify(chosen)} unknown; "prometheus" and none are known`)
  }
  const series = await collect()
  if (chosen === 'prometheus') {
    return { kind: 'raw', contentType: prometheusContentType, body: Buffer.from(prometheusText(series, metricsPrefix)) }
  }
  const json = metricsJson(series, metricsPrefix, telemetry.clock.now())
  return { kind: 'raw', contentType: 'application/json', body: Buffer.from(`${stringifyJson(json)}\n`) }
}

/** What Prometheus itself sends, so that a scrape needs no parameter. */
const wantsPrometheus = (accept: string) =>
  accept.startsWith('application/openmetrics-text') ||
  accept.startsWith('text/plain') ||
  accept.startsWith('application/vnd.google.protobuf')
