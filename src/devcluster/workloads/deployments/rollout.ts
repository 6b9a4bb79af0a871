/** How many pods each generation of a Deployment may have now: pure arithmetic (kubernetes.io, "Rolling Update Deployment"). */
export interface Generation {
  readonly name: string
  readonly replicas: number
  readonly available: number
}
export interface RolloutInput {
  readonly strategy: 'RollingUpdate' | 'Recreate'
  readonly desired: number
  /** Pods above / below `desired` that are allowed: a number or a percentage. */
  readonly maxSurge: number | string
  readonly maxUnavailable: number | string
  readonly current: Generation
  /** Oldest first. */
  readonly old: readonly Generation[]
  /** Pods of old generations that still exist, those being deleted included. */
  readonly oldPods: number
}

/** name -> replicas, for every generation that has to change. */
export function planRollout(input: RolloutInput): ReadonlyMap<string, number> {
  return input.strategy === 'Recreate' ? recreate(input) : rolling(input)
}

function recreate({ desired, current, old, oldPods }: RolloutInput): ReadonlyMap<string, number> {
  const plan = new Map<string, number>()
  for (const generation of old) if (generation.replicas > 0) plan.set(generation.name, 0)
  if (oldPods === 0 && plan.size === 0 && current.replicas !== desired) plan.set(current.name, desired)
  return plan
}

function rolling(input: RolloutInput): ReadonlyMap<string, number> {
  const { desired, current, old } = input
  const surge = absolute(input.maxSurge, desired, Math.ceil)
  const unavailable = absolute(input.maxUnavailable, desired, Math.floor)
  // Both zero would never move.
  const maxUnavailable = surge === 0 && unavailable === 0 ? 1 : unavailable
  const plan = new Map<string, number>()
  const total = sum([current, ...old], (generation) => generation.replicas)
  const room = Math.max(0, desired + surge - total)
  const next = current.replicas > desired ? desired : current.replicas + Math.min(room, desired - current.replicas)
  if (next !== current.replicas) plan.set(current.name, next)

  const minAvailable = desired - maxUnavailable
  const notYet = Math.max(0, current.replicas - current.available)
  let removable = Math.max(0, total - minAvailable - notYet)
  // What does not work anyway goes first; then as many working ones as the rest can bear.
  const left = new Map(old.map((generation) => [generation.name, generation.replicas]))
  for (const generation of old) {
    const broken = Math.min(removable, generation.replicas - generation.available)
    removable -= broken
    left.set(generation.name, generation.replicas - broken)
  }
  let spare = Math.min(removable, Math.max(0, sum([current, ...old], (g) => g.available) - minAvailable))
  for (const generation of old) {
    const now = left.get(generation.name) ?? 0
    const taken = Math.min(spare, now)
    spare -= taken
    if (now - taken !== generation.replicas) plan.set(generation.name, now - taken)
  }
  return plan
}

export function absolute(value: number | string, of: number, round: (n: number) => number): number {
  if (typeof value === 'number') return Math.max(0, value)
  const percent = /^(\d+)%$/.exec(value)
  return percent ? round((Number(percent[1]) * of) / 100) : 0
}

const sum = (generations: readonly Generation[], of: (generation: Generation) => number) =>
  generations.reduce((total, generation) => total + of(generation), 0)
