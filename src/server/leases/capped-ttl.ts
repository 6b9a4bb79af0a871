import { formatGoDuration } from '../../lib/duration.ts'

/** Vault's warning for a lifetime that was cut. */
export const cappedTtl = (wantedMs: number, maxMs: number) =>
  `TTL of "${formatGoDuration(wantedMs)}" exceeded the effective max_ttl of "${formatGoDuration(maxMs)}"; TTL value is capped accordingly`
