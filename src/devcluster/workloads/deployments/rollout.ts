/** How many pods each generation of a Deployment may have now: pure arithmetic (kubernetes.io, "Rolling Update Deployment"). */
import type { Deployment } from '../../../kube/object-types.ts'

export interface Generation {
  readonly name: string
  readonly replicas: number
  readonly available: number
}
export interface Shares {
  readonly desired: number
  /** Pods above / below `desired` that are allowed. */
  readonly maxSurge: number
  readonly maxUnavailable: number
}
export interface RolloutInput extends Shares {
  readonly current: Generation
  /** Oldest first. */
  readonly old: readonly Generation[]
}

/** The Deployment's numbers; percentages of the surge are rounded up, of what may be missing down. */
export function sharesOf({ spec }: Deployment): Shares {
  const desired = spec?.replicas ?? 1
  if (spec?.strategy?.type === 'Recreate') return { desired, maxSurge: 0, maxUnavailable: 0 }
  const maxSurge = absolute(spec?.strategy?.rollingUpdate?.maxSurge ?? '25%', desired, Math.ceil)
  const missing = absolute(spec?.strategy?.rollingUpdate?.maxUnavailable ?? '25%', desired, Math.floor)
  // Both zero would never move.
  const maxUnavailable = maxSurge === 0 && missing === 0 ? 1 : missing
  return { desired, maxSurge, maxUnavailable: Math.min(maxUnavailable, desired) }
}

/** name -> replicas, for every generation that has to change. */
export function planRollout(input: RolloutInput): ReadonlyMap<string, number> {
  const { desired, maxSurge, maxUnavailable, current, old } = input
  const plan = new Map<string, number>()
  const total = sum([current, ...old], (generation) => generation.replicas)
  const room = Math.max(0, desired + maxSurge - total)
  const next = current.replicas > desired ? desired : current.replicas + Math.min(room, desired - current.replicas)
  if (next !== current.replicas) plan.set(current.name, next)

  const minAvailable = desired - maxUnavailable
  const notYet = Math.max(0, current.replicas - current.available)
  let removable = Math.max(0, total - minAvailable - notYet)
  // What does not work anyway goes first; then as many working ones as the rest can bear.
  const left = new Map(old.map((generation) => [generation.name, generation.replicas]))
  if (removable === 0) return plan
  for (const generation of old) {
    const broken = Math.min(removable, generation.replicas - generation.available)
    removable -= broken
    left.set(generation.name, generation.replicas - broken)
  }
  let spare = Math.max(0, sum([current, ...old], (generation) => generation.available) - minAvailable)
  for (const generation of old) {
    const now = left.get(generation.name) ?? 0
    const taken = Math.min(spare, now)
    spare -= taken
    if (now - taken !== generation.replicas) plan.set(generation.name, now - taken)
  }
  return plan
}

function absolute(value: number | string, of: number, round: (n: number) => number): number {
  if (typeof value === 'number') return Math.max(0, value)
  const percent = /^(\d+)%$/.exec(value)
  return percent ? round((Number(percent[1]) * of) / 100) : 0
}

const sum = (generations: readonly Generation[], of: (generation: Generation) => number) =>
  generations.reduce((total, generation) => total + of(generation), 0)
