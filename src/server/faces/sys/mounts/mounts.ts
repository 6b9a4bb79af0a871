/** sys/mounts and sys/auth: what is mounted where. */
import { parseVaultDuration } from '../../../../lib/duration.ts'
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, type MountConfig, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { withoutLockout } from '../../../lockout/lockout-config.ts'
import { readUserLockout } from '../../../lockout/lockout-tuning.ts'
import type { Mount } from '../../../mounts/mount.ts'
import { mountJson, type SystemTtl, tuneJson } from '../../../mounts/mount-json.ts'
import type { MountTable } from '../../../mounts/mount-table.ts'

export interface MountRoutesOptions {
  readonly mounts: MountTable
  readonly ttl: SystemTtl
  /** Ends what a mount that is going away left: its leases, its tokens. */
  readonly sweep: (mount: Mount, signal: AbortSignal) => Promise<void>
}

type MountClass = 'secret' | 'auth'
const reserved = ['auth/', 'sys/', 'identity/', 'cubbyhole/', 'audit/']

const configFields = {
  default_lease_ttl: { kind: 'string', description: 'TTL of leases and tokens that ask for none' },
  max_lease_ttl: { kind: 'string', description: 'Their longest TTL' },
  listing_visibility: { kind: 'string', description: '"unauth" shows the mount to everyone' },
  audit_non_hmac_request_keys: { kind: 'commaList', description: 'Request keys that audit shows in clear' },
  audit_non_hmac_response_keys: { kind: 'commaList', description: 'Response keys that audit shows in clear' },
  passthrough_request_headers: { kind: 'commaList', description: 'Headers that the engine sees' },
  allowed_response_headers: { kind: 'commaList', description: 'Headers that the engine may set' },
  token_type: { kind: 'string', description: 'Kind of tokens that logins make' },
  user_lockout_config: {
    kind: 'object',
    description: 'When users that fail to log in are locked out, of auth methods',
  },
} as const satisfies Fields

const enableFields = {
  type: { kind: 'lowerString', description: 'The engine', default: '' },
  description: { kind: 'string', description: 'For people', default: '' },
  config: { kind: 'object', description: 'Limits and visibility' },
  options: { kind: 'stringMap', description: 'Of the engine' },
  local: { kind: 'bool', description: 'Not replicated', default: false },
  seal_wrap: { kind: 'bool', description: 'Wrapped by the seal', default: false },
  external_entropy_access: { kind: 'bool', description: 'Not used', default: false },
  plugin_name: { kind: 'lowerString', description: 'The old name of type', default: '' },
} as const satisfies Fields

const tuneFields = {
  ...configFields,
  description: { kind: 'string', description: 'For people' },
  options: { kind: 'stringMap', description: 'Of the engine' },
} as const satisfies Fields

export function mountRoutes(options: MountRoutesOptions, mountClass: MountClass): Route[] {
  const word = mountClass === 'secret' ? 'mounts' : 'auth'
  const access = mountClass === 'secret' ? 'token' : 'sudo'
  const context: Context = { ...options, mountClass }
  return [
    {
      path: word,
      summary: mountClass === 'secret' ? 'Lists the secrets engines.' : 'Lists the auth methods.',
      on: {
        read: operation({ input: {}, handle: async () => ({ kind: 'data', data: listJson(context), topLevel: true }) }),
      },
    },
    {
      path: `${word}/{path...}/tune`,
      summary: 'Limits and options of a mount.',
      on: {
        read: operation({ input: {}, access, handle: async (call) => readTune(context, call) }),
        update: operation({ input: tuneFields, access, handle: (call) => tune(context, call) }),
      },
    },
    {
      path: `${word}/{path...}`,
      summary: 'Enables, shows and disables a mount.',
      on: {
        read: operation({ input: {}, access, handle: async (call) => readMount(context, call) }),
        update: operation({ input: enableFields, access, handle: (call) => enable(context, call) }),
        delete: operation({ input: {}, access, handle: (call) => disable(context, call) }),
      },
    },
  ]
}

interface Context extends MountRoutesOptions {
  readonly mountClass: MountClass
}

/** "a/b" -> "a/b/", for auth "auth/a/b/". */
function pathOf(context: Context, call: Call<unknown>): { shown: string; full: string } {
  const shown = `${(call.params['path'] ?? '').replace(/\/+$/, '')}/`
  return { shown, full: context.mountClass === 'auth' ? `auth/${shown}` : shown }
}

const shownPath = (mount: Mount) => (mount.info.class === 'auth' ? mount.info.path.slice(5) : mount.info.path)

function listJson(context: Context): JsonObject {
  const mounts = context.mounts.known.mounts.filter(({ info }) => info.class === context.mountClass)
  const entries = mounts.map((mount): [string, JsonObject] => [shownPath(mount), mountJson(mount)])
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function readMount(context: Context, call: Call<unknown>): Reply {
  const { shown, full } = pathOf(context, call)
  const mount = context.mounts.known.at(full)
  const what = context.mountClass === 'secret' ? 'secret engine mount' : 'auth engine'
  if (mount?.info.class !== context.mountClass) throw new Refusal(400, `No ${what} at ${shown}`)
  return { kind: 'data', data: mountJson(mount), topLevel: true }
}

function readTune(context: Context, call: Call<unknown>): Reply {
  const { full } = pathOf(context, call)
  const mount = context.mounts.known.at(full)
  if (!mount) throw new Refusal(400, `cannot fetch sysview for path "${full}"`)
  return { kind: 'data', data: tuneJson(mount, context.ttl), topLevel: true }
}

async function enable(context: Context, call: Call<InputOf<typeof enableFields>>): Promise<Reply> {
  const { input } = call
  const { shown, full } = pathOf(context, call)
  const type = input.type || input.plugin_name
  if (type === '') throw new Refusal(400, 'backend type must be specified as a string')
  if (shown.length > 512 || /[\s*+]/.test(shown)) throw new Refusal(400, `invalid mount path "${shown}"`)
  if (context.mountClass === 'secret' && reserved.some((path) => shown.startsWith(path))) {
    throw new Refusal(403, `cannot mount "${shown}"`)
  }
  if (context.mountClass === 'auth' && type === 'token') {
    throw new Refusal(400, 'token credential backend cannot be instantiated')
  }
  if (input.external_entropy_access) throw new Refusal(400, 'external_entropy_access is not supported by this server')
  await context.mounts.enable({
    path: full,
    class: context.mountClass,
    type,
    description: input.description,
    options: input.options ?? null,
    local: input.local,
    sealWrap: input.seal_wrap,
    config: readConfig({ ...context, type }, input.config ?? {}),
  })
  return { kind: 'none' }
}

async function tune(context: Context, call: Call<InputOf<typeof tuneFields>>): Promise<Reply> {
  const { full } = pathOf(context, call)
  const mount = context.mounts.known.at(full)
  if (!mount) throw new Refusal(400, `tune of path "${full}" failed: no mount entry found`)
  const { type, class: mountClass } = mount.info
  const { description, options, ...rest } = call.input
  await context.mounts.tune(mount, (row) => ({
    ...(description === undefined ? {} : { description }),
    ...(options === undefined ? {} : { options: { ...row.options, ...options } }),
    config: { ...row.config, ...readConfig({ ...context, mountClass, type }, rest, row.config) },
  }))
  return { kind: 'none' }
}

async function disable(context: Context, call: Call<unknown>): Promise<Reply> {
  const { shown, full } = pathOf(context, call)
  const mount = context.mounts.known.at(full)
  // sys/mounts/auth/x would be a way around the sudo that sys/auth/x asks for.
  if (mount && (mount.builtin || mount.info.class !== context.mountClass)) {
    const token = context.mountClass === 'auth' && shown === 'token/'
    throw new Refusal(400, token ? 'token credential backend cannot be disabled' : `cannot unmount "${shown}"`)
  }
  if (mount) await context.mounts.disable(mount, context.sweep)
  return { kind: 'none' }
}

interface Configured extends Context {
  readonly type: string
}

/** Refuses (400) what is not a limit. Names of a mount's `config` and of tune are the same. */
function readConfig(
  context: Configured,
  given: Readonly<Record<string, unknown>>,
  before?: MountConfig,
): Partial<MountConfig> {
  const defaultTtlMs = ttlOf(given, 'default_lease_ttl')
  const maxTtlMs = ttlOf(given, 'max_lease_ttl')
  const max = maxTtlMs ?? before?.maxTtlMs ?? 0
  const wanted = defaultTtlMs ?? before?.defaultTtlMs ?? 0
  if (max > 0 && wanted > max) throw new Refusal(400, 'given default lease TTL greater than given max lease TTL')
  if (max === 0 && wanted > context.ttl.maxTtlMs) {
    throw new Refusal(
      400,
      `given default lease TTL greater than system max lease TTL of ${context.ttl.maxTtlMs / 1000}`,
    )
  }
  const visibility = given['listing_visibility']
  if (visibility !== undefined && visibility !== '' && visibility !== 'unauth' && visibility !== 'hidden') {
    throw new Refusal(400, `invalid listing_visibility "${String(visibility)}"`)
  }
  return {
    ...(defaultTtlMs === undefined ? {} : { defaultTtlMs }),
    ...(maxTtlMs === undefined ? {} : { maxTtlMs }),
    ...(visibility === undefined ? {} : { listingVisibility: visibility }),
    ...(given['force_no_cache'] === true ? { forceNoCache: true } : {}),
    ...tokenTypeOf(context, given),
    ...userLockoutOf(context, given, before),
    ...listOf(given, 'audit_non_hmac_request_keys', 'auditNonHmacRequestKeys'),
    ...listOf(given, 'audit_non_hmac_response_keys', 'auditNonHmacResponseKeys'),
    ...listOf(given, 'passthrough_request_headers', 'passthroughRequestHeaders'),
    ...listOf(given, 'allowed_response_headers', 'allowedResponseHeaders'),
  }
}

function ttlOf(given: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = given[name]
  // Clients that leave a limit as it is send it empty.
  if (value === undefined || value === null || value === '') return undefined
  if (value === 'system') return 0
  const ms = parseVaultDuration(value)
  if (ms === undefined || ms < 0) throw new Refusal(400, `unable to parse ${name} of ${JSON.stringify(value)}`)
  return ms
}

function tokenTypeOf(context: Configured, given: Readonly<Record<string, unknown>>): Partial<MountConfig> {
  const value = given['token_type']
  if (value === undefined || value === '') return {}
  if (context.mountClass !== 'auth') throw new Refusal(400, "'token_type' can only be modified on auth mounts")
  if (context.type === 'token' || context.type === 'ns_token') {
    throw new Refusal(400, "'token_type' cannot be set for 'token' or 'ns_token' auth mounts")
  }
  if (value !== 'default-service' && value !== 'service' && value !== 'default-batch' && value !== 'batch') {
    throw new Refusal(
      400,
      `invalid value for 'token_type': ${JSON.stringify(value)}; accepted are default-service, default-batch, service and batch`,
    )
  }
  return { tokenType: value }
}

function userLockoutOf(
  context: Configured,
  given: Readonly<Record<string, unknown>>,
  before: MountConfig | undefined,
): Partial<MountConfig> {
  const value = given['user_lockout_config']
  if (value === undefined || value === null) return {}
  if (context.mountClass !== 'auth') throw new Refusal(400, "'user_lockout_config' can only be modified on auth mounts")
  if (withoutLockout.has(context.type)) {
    throw new Refusal(400, `tuning of user lockout configuration for auth type "${context.type}" not allowed`)
  }
  const userLockout = readUserLockout(value, before?.userLockout)
  return userLockout ? { userLockout } : {}
}

function listOf(given: Readonly<Record<string, unknown>>, name: string, as: keyof MountConfig): Partial<MountConfig> {
  const value = given[name]
  if (value === undefined || value === null) return {}
  const list = typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) {
    throw new Refusal(400, `${name} must be a list of strings`)
  }
  return { [as]: list }
}
