import { Refusal } from '../../contracts/request.ts'
import type { SystemTtl } from '../../mounts/mount-json.ts'
import { tokenTtl } from '../../tokens/token-ttl.ts'
import type { TokenRequest } from './token-request.ts'

export interface Lifetime {
  /** 0: for ever, which only root tokens do. */
  readonly ttlMs: number
  readonly explicitMaxTtlMs: number
  readonly periodMs: number
  readonly warnings: readonly string[]
}

/** `limits`: of the mount auth/token/. */
export function childLifetime(request: TokenRequest, policies: readonly string[], limits: SystemTtl): Lifetime {
  const { input, parent, call } = request
  const early: string[] = []
  const explicitMaxTtlMs = lesser(request, 'explicitMaxTtlMs', input.explicit_max_ttl, 'Explicit max TTL', early)
  const periodMs = lesser(request, 'periodMs', input.period, 'Period', early)
  const wantedMs = input.ttl || input.lease
  if (policies.includes('root') && wantedMs === 0 && periodMs === 0) {
    if (explicitMaxTtlMs === 0 && parent.row.expiresAt > 0) {
      throw new Refusal(400, 'expiring root tokens cannot create non-expiring root tokens')
    }
    return { ttlMs: explicitMaxTtlMs, explicitMaxTtlMs, periodMs, warnings: early }
  }
  const { ttlMs, warnings } = tokenTtl({
    wantedMs,
    roleTtlMs: 0,
    roleMaxTtlMs: 0,
    explicitMaxTtlMs,
    periodMs,
    ...limits,
    issuedAt: call.now,
    now: call.now,
  })
  return { ttlMs, explicitMaxTtlMs, periodMs, warnings: [...early, ...warnings] }
}

/** Of what the request and the role say; batch tokens have neither. */
function lesser(
  { role, type }: TokenRequest,
  name: 'explicitMaxTtlMs' | 'periodMs',
  asked: number,
  called: string,
  warnings: string[],
): number {
  const ruled = type === 'batch' ? 0 : (role?.role[name] ?? 0)
  if (asked === 0 || ruled === 0) return asked || ruled
  const used = Math.min(asked, ruled)
  warnings.push(
    `${called} specified both during creation call and in role; using the lesser value of ${used / 1000} seconds`,
  )
  return used
}
