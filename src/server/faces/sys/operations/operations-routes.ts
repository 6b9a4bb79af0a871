/** The part of sys/ that is for operating a server: metrics, logs, configuration, what it is made of, small tools. */
import type { RandomBytes } from '../../../../lib/random.ts'
import type { Route } from '../../../contracts/request.ts'
import { compatibilityRoutes } from './catalog/compatibility.ts'
import { type Counts, counterRoutes } from './catalog/counters.ts'
import { type OpenApiOptions, openApiRoutes } from './catalog/openapi.ts'
import { type PluginOptions, pluginRoutes } from './catalog/plugins.ts'
import { raftRoutes } from './catalog/raft.ts'
import { type VersionHistory, versionHistoryRoutes } from './catalog/version-history.ts'
import { hostInfoRoutes } from './observability/host-info.ts'
import { type InFlightOptions, inFlightRoutes } from './observability/in-flight.ts'
import { type LoggersOptions, loggerRoutes } from './observability/loggers.ts'
import { type MetricsOptions, metricsRoutes } from './observability/metrics.ts'
import { type MonitorOptions, monitorRoutes } from './observability/monitor.ts'
import { corsRoutes } from './settings/cors.ts'
import { type ServerState, serverStateRoutes } from './settings/server-state.ts'
import { type UiHeaderOptions, uiHeaderRoutes } from './settings/ui-headers.ts'
import { hashRoutes } from './tools/hash.ts'
import { randomRoutes } from './tools/random.ts'

export interface OperationsOptions
  extends MetricsOptions,
    InFlightOptions,
    LoggersOptions,
    MonitorOptions,
    UiHeaderOptions,
    PluginOptions,
    OpenApiOptions {
  readonly random: RandomBytes
  readonly serverState: ServerState
  readonly versionHistory: VersionHistory
  /** Absent: sys/internal/counters is not there. */
  readonly counts?: Counts
}

export function operationsRoutes(options: OperationsOptions): Route[] {
  return [
    ...metricsRoutes(options),
    ...inFlightRoutes(options),
    ...loggerRoutes(options),
    ...monitorRoutes(options),
    ...hostInfoRoutes(),
    ...corsRoutes(options.httpSettings),
    ...uiHeaderRoutes(options),
    ...serverStateRoutes(options.serverState),
    ...versionHistoryRoutes(options.versionHistory),
    ...pluginRoutes(options),
    ...compatibilityRoutes(),
    ...raftRoutes(),
    ...(options.counts ? counterRoutes(options.counts) : []),
    ...openApiRoutes(options),
    ...randomRoutes(options.random),
    ...hashRoutes(),
  ]
}
