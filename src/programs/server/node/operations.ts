/** What a process knows about itself and lets sys/ show and change: metrics, requests, log, configuration. */
import type { Clock } from '../../../lib/clock.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import { rootNamespace } from '../../../server/contracts/epochs.ts'
import type { Plugin } from '../../../server/faces/sys/operations/catalog/plugins.ts'
import type { ServerState } from '../../../server/faces/sys/operations/settings/server-state.ts'
import type { LogControl } from '../../../server/telemetry/log-control.ts'
import { RequestsUnderWay } from '../../../server/telemetry/requests-under-way.ts'
import { ServerMetrics } from '../../../server/telemetry/server-metrics.ts'
import { type Series, Telemetry } from '../../../server/telemetry/telemetry.ts'

export interface NodeOperations {
  readonly telemetry: Telemetry
  readonly metrics: ServerMetrics
  /** Of all processes of this node. */
  readonly collect: () => Promise<readonly Series[]>
  readonly metricsPrefix: string
  /** How old counts of tokens, leases and entities may be. */
  readonly usagePeriodMs: number
  /** Of this process. */
  readonly requests: RequestsUnderWay
  /** Of all processes of this node. */
  readonly inFlight: (namespaceId: string) => Promise<JsonObject>
  readonly rootNamespaceId: string
  readonly logs: LogControl
  readonly plugins: readonly Plugin[]
  readonly serverState: ServerState
  /** Of any listener. */
  readonly configuredHeader: (name: string) => boolean
}

export interface NodeOperationsOptions {
  readonly clock: Clock
  readonly logs?: LogControl
  readonly plugins?: readonly Plugin[]
  readonly serverState?: ServerState
  readonly metricsPrefix?: string
  readonly usagePeriodMs?: number
  readonly configuredHeader?: (name: string) => boolean
  readonly sourceFailed?: (error: unknown) => void
  /** Where this process is one of several of its node. */
  readonly nodeWide?: Pick<NodeOperations, 'collect' | 'inFlight'>
}

/** What is not given is as in a server without configuration: tests and programs that embed one. */
export function nodeOperations(options: NodeOperationsOptions): NodeOperations {
  const { clock, sourceFailed } = options
  const telemetry = new Telemetry({ clock, ...(sourceFailed ? { sourceFailed } : {}) })
  const requests = new RequestsUnderWay()
  const metrics = new ServerMetrics({ telemetry })
  metrics.unsealed.set(0)
  metrics.active.set(0)
  telemetry.source(() => telemetry.gauge('core.in_flight_requests').set(requests.size))
  return {
    telemetry,
    metrics,
    collect: options.nodeWide?.collect ?? (() => telemetry.collect()),
    inFlight: options.nodeWide?.inFlight ?? (async (namespaceId) => requests.json(namespaceId)),
    metricsPrefix: options.metricsPrefix ?? 'vault',
    usagePeriodMs: options.usagePeriodMs ?? 60_000,
    requests,
    rootNamespaceId: rootNamespace.id,
    logs: options.logs ?? noLogs,
    plugins: options.plugins ?? [],
    serverState: options.serverState ?? { sanitized: () => ({}), reloads: {} },
    configuredHeader: options.configuredHeader ?? (() => false),
  }
}

const noLogs: LogControl = { levels: () => ({}), set: () => false, reset: () => false, tap: () => () => {} }
