/** What the broker measures, by Vault's names where it is shown. */
interface Timer {
  /** `now`: the monotonic time at the end. */
  observe(ms: number, now: number): void
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

export function observe({ request, response }: LineTimers, lines: Lines, begun: number, now: number): void {
  if (lines !== 'response') request.observe(now - begun, now)
  if (lines !== 'request') response.observe(now - begun, now)
}

/** Until some device has the lines, or, with `accepted` false, until none has taken them. */
export function observeAll(metrics: AuditMetrics, lines: Lines, begun: number, now: number, accepted: boolean): void {
  if (lines !== 'response') metrics.auditRequest.observe(now - begun, now)
  if (lines !== 'request') metrics.auditResponse.observe(now - begun, now)
  if (accepted) return
  if (lines !== 'response') metrics.auditRequestFailure.add()
  if (lines !== 'request') metrics.auditResponseFailure.add()
}
