/** Status conditions as Kubernetes' controllers write them. */
export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  readonly lastUpdateTime?: string
}

/** metav1.Time: seconds. */
export const timestamp = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** Puts a condition in its place; its transition time moves only when its status does, its update time with its words too. */
export function withCondition(conditions: readonly Condition[], next: Condition, nowMs: number): Condition[] {
  const before = conditions.find((condition) => condition.type === next.type)
  const same = before?.status === next.status
  const unchanged = same && before.reason === next.reason && before.message === next.message
  const now = timestamp(nowMs)
  const entry = {
    ...next,
    lastUpdateTime: unchanged ? (before.lastUpdateTime ?? now) : now,
    lastTransitionTime: same ? (before.lastTransitionTime ?? now) : now,
  }
  return before
    ? conditions.map((condition) => (condition.type === next.type ? entry : condition))
    : [...conditions, entry]
}
