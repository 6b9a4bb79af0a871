const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

const buckets: readonly (readonly [number, string])[] = [
  [minute, '1m'],
  [10 * minute, '10m'],
  [20 * minute, '20m'],
  [hour, '1h'],
  [2 * hour, '2h'],
  [day, '1d'],
  [2 * day, '2d'],
  [7 * day, '7d'],
  [30 * day, '30d'],
]

/** Vault's label for a life: the first of these that is not shorter; "+Inf" for longer ones and for 0, which never ends. */
export const ttlBucket = (ttlMs: number): string =>
  (ttlMs === 0 ? undefined : buckets.find(([most]) => ttlMs <= most)?.[1]) ?? '+Inf'
