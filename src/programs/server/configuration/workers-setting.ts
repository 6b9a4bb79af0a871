import { HclError, type HclItem } from '../../../lib/hcl/tree.ts'
import { JsonNumber } from '../../../lib/json/value.ts'

export const mostWorkers = 64

/** Undefined: neither a number of processes nor "auto", which means one for each processor. */
export function parseWorkers(value: unknown): number | 'auto' | undefined {
  if (value === 'auto') return value
  const text = value instanceof JsonNumber || typeof value === 'number' ? String(value) : value
  const count = typeof text === 'string' && /^\d{1,3}$/.test(text) ? Number(text) : 0
  return count >= 1 && count <= mostWorkers ? count : undefined
}

export function readWorkers(item: HclItem): number | 'auto' {
  const workers = parseWorkers(item.value)
  if (workers === undefined) throw new HclError(`"workers" must be 1 to ${mostWorkers}, or "auto"`, item)
  return workers
}
