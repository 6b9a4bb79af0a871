/** The server's own metrics, with the names that Vault gives them: handles that hot code keeps. */
import type { Summary } from './summary.ts'
import type { Counter, Gauge, Telemetry } from './telemetry.ts'

const maxHandles = 1000

/** Durations are milliseconds. */
export class ServerMetrics {
  readonly #telemetry: Telemetry
  readonly #routes = new Map<string, Map<string, Summary>>()
  readonly #devices = new Map<string, { readonly request: Summary; readonly response: Summary }>()
  readonly handleRequest: Summary
  readonly handleLoginRequest: Summary
  readonly unsealed: Gauge
  readonly active: Gauge
  readonly auditRequest: Summary
  readonly auditResponse: Summary
  readonly auditRequestFailure: Counter
  readonly auditResponseFailure: Counter
  readonly quotaViolation: Counter
  readonly quotaLeaseViolation: Counter

  constructor(options: { telemetry: Telemetry }) {
    const { telemetry } = options
    this.#telemetry = telemetry
    this.handleRequest = telemetry.summary('core.handle_request')
    this.handleLoginRequest = telemetry.summary('core.handle_login_request')
    this.unsealed = telemetry.gauge('core.unsealed')
    this.active = telemetry.gauge('core.active')
    this.auditRequest = telemetry.summary('audit.log_request')
    this.auditResponse = telemetry.summary('audit.log_response')
    this.auditRequestFailure = telemetry.counter('audit.log_request_failure')
    this.auditResponseFailure = telemetry.counter('audit.log_response_failure')
    this.quotaViolation = telemetry.counter('quota.rate_limit.violation')
    this.quotaLeaseViolation = telemetry.counter('quota.lease_count.violation')
  }

  /** vault_route_<operation>_<mount>_; `mountPath` with its namespace and trailing slash, as few as there are mounts. */
  route(operation: string, mountPath: string): Summary {
    const known = this.#routes.get(operation)?.get(mountPath)
    if (known) return known
    const summary = this.#telemetry.summary(`route.${operation}.${mountPath.replaceAll('/', '-')}`)
    const mounts = this.#routes.get(operation) ?? new Map<string, Summary>()
    // Mounts come and go: forgetting all handles now and then costs one look-up each.
    if (mounts.size >= maxHandles) mounts.clear()
    this.#routes.set(operation, mounts.set(mountPath, summary))
    return summary
  }

  /** vault_audit_<device>_log_request and …_log_response. */
  auditDevice(path: string): { readonly request: Summary; readonly response: Summary } {
    const name = path.replaceAll('/', '-')
    const known = this.#devices.get(path)
    if (known) return known
    const made = {
      request: this.#telemetry.summary(`audit.${name}.log_request`),
      response: this.#telemetry.summary(`audit.${name}.log_response`),
    }
    this.#devices.set(path, made)
    return made
  }
}
