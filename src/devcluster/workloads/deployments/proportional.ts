/** Scaling in the middle of a rollout: every generation grows or shrinks by its share, so that the rollout goes no faster. */

export interface SizedGeneration {
  readonly name: string
  readonly replicas: number
  /** The most pods that the Deployment could have when this generation was sized last. */
  readonly maxBefore: number
  /** For generations of the same size: the newer ones grow first, the older ones shrink first. */
  readonly createdAt: string
}
export interface ScalingInput {
  readonly desired: number
  readonly maxSurge: number
  /** Those with pods; the present one is among them when it has some. */
  readonly generations: readonly SizedGeneration[]
}

/** name -> replicas, of all of them. */
export function scaleProportionally({ desired, maxSurge, generations }: ScalingInput): ReadonlyMap<string, number> {
  const allowed = desired > 0 ? desired + maxSurge : 0
  const toAdd = allowed - generations.reduce((total, generation) => total + generation.replicas, 0)
  const newerFirst = toAdd > 0 ? -1 : 1
  const order = [...generations].sort(
    (a, b) =>
      b.replicas - a.replicas || newerFirst * (a.createdAt.localeCompare(b.createdAt) || a.name.localeCompare(b.name)),
  )
  let added = 0
  const sizes = new Map<string, number>()
  for (const generation of order) {
    const rest = toAdd - added
    const fraction = rest === 0 ? 0 : shareOf(generation, desired, desired + maxSurge)
    const share = toAdd > 0 ? Math.min(fraction, rest) : Math.max(fraction, rest)
    const change = toAdd === 0 ? 0 : share
    sizes.set(generation.name, generation.replicas + change)
    added += change
  }
  const [largest] = order
  // What rounding left over.
  if (largest) sizes.set(largest.name, Math.max(0, (sizes.get(largest.name) ?? 0) + toAdd - added))
  return sizes
}

function shareOf({ replicas, maxBefore }: SizedGeneration, desired: number, max: number): number {
  if (desired === 0) return -replicas
  if (maxBefore === 0) return 0
  return Math.round((replicas * max) / maxBefore) - replicas
}
