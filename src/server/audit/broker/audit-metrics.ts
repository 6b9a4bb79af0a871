/** What the broker measures, by Vault's names where it is shown. */
interface Timer {
  observe(ms: number): void
}

interface Count {
  add(): void
}

interface LineTimers {
  readonly request: Timer
  readonly response: Timer
}

export interface AuditMetrics {
  readonly auditRequest: Timer
  readonly auditResponse: Timer
  readonly auditRequestFailure: Count
  readonly auditResponseFailure: Count
  /** Of one device. */
  auditDevice(path: string): LineTimers
}

/** 'exchange': both lines at once. */
export type Lines = 'request' | 'response' | 'exchange'

export function observe({ request, response }: LineTimers, lines: Lines, ms: number): void {
  if (lines !== 'response') request.observe(ms)
  if (lines !== 'request') response.observe(ms)
}

/** Until some device has the lines, or, with `accepted` false, until none has taken them. */
export function observeAll(metrics: AuditMetrics, lines: Lines, ms: number, accepted: boolean): void {
  observe({ request: metrics.auditRequest, response: metrics.auditResponse }, lines, ms)
  if (accepted) return
  if (lines !== 'response') metrics.auditRequestFailure.add()
  if (lines !== 'request') metrics.auditResponseFailure.add()
}
