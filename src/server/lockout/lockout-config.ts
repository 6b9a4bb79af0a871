import type { MountInfo, UserLockout } from '../contracts/request.ts'

/** What counts for one mount, all of it known. */
export interface LockoutConfig {
  readonly threshold: number
  readonly durationMs: number
  /** Failures are forgotten so long after the last one. */
  readonly counterResetMs: number
  readonly disabled: boolean
}

export const vaultLockout: LockoutConfig = {
  threshold: 5,
  durationMs: 15 * 60_000,
  counterResetMs: 15 * 60_000,
  disabled: false,
}

/** Who shows a signed proof has no password to guess; whoever sends a false one in another's name would lock that one out. */
export const withoutLockout: ReadonlySet<string> = new Set(['cert', 'jwt', 'kubernetes', 'oidc', 'token'])

/** The mount's tuning, then the `user_lockout` stanza of its type, then that of "all", then Vault's defaults. */
export function lockoutOf(mount: MountInfo, stanzas: Readonly<Record<string, UserLockout>>): LockoutConfig {
  return {
    ...vaultLockout,
    ...given(stanzas['all']),
    ...given(stanzas[mount.type]),
    ...given(mount.config.userLockout),
    ...(withoutLockout.has(mount.type) ? { disabled: true } : {}),
  }
}

const given = (config: UserLockout | undefined) =>
  Object.fromEntries(Object.entries(config ?? {}).filter(([, value]) => value !== undefined))
