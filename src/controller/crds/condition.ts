import * as z from 'zod'

export const conditionSchema = z.object({
  type: z.string(),
  status: z.string(),
  reason: z.string().default(''),
  message: z.string().default(''),
  lastTransitionTime: z.string().optional(),
})
export type Condition = z.infer<typeof conditionSchema>

/** Kubernetes' times have whole seconds: 2026-01-02T03:04:05Z. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** Replaces or appends by type. The transition time moves only when the status does. */
export function withCondition(
  conditions: readonly Condition[],
  next: { type: string; status: 'True' | 'False'; reason: string; message: string },
  atMs: number,
): Condition[] {
  const before = conditions.find((condition) => condition.type === next.type)
  const lastTransitionTime =
    before?.status === next.status && before.lastTransitionTime ? before.lastTransitionTime : timestamp(atMs)
  const after: Condition = { ...next, lastTransitionTime }
  if (!before) return [...conditions, after]
  return conditions.map((condition) => (condition === before ? after : condition))
}
