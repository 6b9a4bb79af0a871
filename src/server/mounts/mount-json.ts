/** A mount as Vault's API shows it. */
import type { JsonObject } from '../../lib/json/value.ts'
import type { MountConfig, UserLockout } from '../contracts/request.ts'
import type { Mount } from './mount.ts'

/** Effective when a mount says 0: 32 days, unless the server's configuration says otherwise. */
export interface SystemTtl {
  readonly defaultTtlMs: number
  readonly maxTtlMs: number
}

export const vaultTtl: SystemTtl = { defaultTtlMs: 2_764_800_000, maxTtlMs: 2_764_800_000 }

/** What tokens and leases of a mount get when nobody asks for less. */
export function effectiveTtl(config: MountConfig, system: SystemTtl): SystemTtl {
  const maxTtlMs = config.maxTtlMs || system.maxTtlMs
  return { maxTtlMs, defaultTtlMs: Math.min(config.defaultTtlMs || system.defaultTtlMs, maxTtlMs) }
}

/** GET sys/mounts/x and sys/auth/x. */
export function mountJson(mount: Mount): JsonObject {
  const { info } = mount
  return {
    accessor: info.accessor,
    config: configJson(mount),
    ...(mount.builtin ? {} : { deprecation_status: 'supported' }),
    description: info.description,
    external_entropy_access: false,
    local: info.local,
    options: info.options,
    plugin_version: '',
    running_plugin_version: mount.version,
    running_sha256: '',
    seal_wrap: info.sealWrap,
    type: info.type,
    uuid: info.uuid,
  }
}

function configJson({ info }: Mount): JsonObject {
  return {
    default_lease_ttl: info.config.defaultTtlMs / 1000,
    force_no_cache: info.config.forceNoCache,
    max_lease_ttl: info.config.maxTtlMs / 1000,
    ...tokenType(info.class, info.config),
    ...optional(info.config),
    ...(info.config.userLockout ? { user_lockout_config: userLockoutJson(info.config.userLockout) } : {}),
  }
}

/** GET sys/mounts/x/tune: effective limits rather than 0. */
export function tuneJson({ info }: Mount, system: SystemTtl): JsonObject {
  const ttl = effectiveTtl(info.config, system)
  return {
    default_lease_ttl: ttl.defaultTtlMs / 1000,
    description: info.description,
    force_no_cache: info.config.forceNoCache,
    max_lease_ttl: ttl.maxTtlMs / 1000,
    ...(info.options ? { options: info.options } : {}),
    ...tokenType(info.class, info.config),
    ...optional(info.config),
    ...(info.config.userLockout ? userLockoutJson(info.config.userLockout) : {}),
  }
}

const tokenType = (mountClass: string, config: MountConfig): JsonObject =>
  mountClass === 'auth' ? { token_type: config.tokenType || 'default-service' } : {}

function optional(config: MountConfig): JsonObject {
  const list = (name: string, values: readonly string[]) => (values.length > 0 ? { [name]: values } : {})
  return {
    ...(config.listingVisibility ? { listing_visibility: config.listingVisibility } : {}),
    ...list('audit_non_hmac_request_keys', config.auditNonHmacRequestKeys),
    ...list('audit_non_hmac_response_keys', config.auditNonHmacResponseKeys),
    ...list('passthrough_request_headers', config.passthroughRequestHeaders),
    ...list('allowed_response_headers', config.allowedResponseHeaders),
  }
}

/** Vault gives the members of this map other names than it takes; 0: as it is configured. */
const userLockoutJson = ({ threshold, durationMs, counterResetMs, disabled }: UserLockout): JsonObject => ({
  user_lockout_counter_reset_duration: (counterResetMs ?? 0) / 1000,
  user_lockout_disable: disabled ?? false,
  user_lockout_duration: (durationMs ?? 0) / 1000,
  user_lockout_threshold: threshold ?? 0,
})
