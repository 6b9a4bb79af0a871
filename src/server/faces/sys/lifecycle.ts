/** sys/init, seal-status, unseal, seal, health, leader: documents without envelope, most of them for everyone. */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields, InputOf } from '../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import { parseShare } from '../../seal/shamir/shares.ts'
import type { SealControl, SealStatus } from './seal-control.ts'

export interface LifecycleOptions {
  readonly seal: SealControl
  /** What clients take for Vault's version: a semver that they gate features on. */
  readonly version: string
  readonly cofferVersion: string
  readonly storageType: string
  /** True from the moment the process was asked to stop. */
  readonly stopping: () => boolean
}

const initFields = {
  secret_shares: { kind: 'int', description: 'How many shares the key is split into', default: 0 },
  secret_threshold: { kind: 'int', description: 'How many of them unseal', default: 0 },
  pgp_keys: { kind: 'commaList', description: 'Not supported' },
  root_token_pgp_key: { kind: 'string', description: 'Not supported', default: '' },
  recovery_shares: { kind: 'int', description: 'Only for seals that unseal themselves', default: 0 },
  recovery_threshold: { kind: 'int', description: 'Only for seals that unseal themselves', default: 0 },
  recovery_pgp_keys: { kind: 'commaList', description: 'Not supported' },
  stored_shares: { kind: 'int', description: 'Not used', default: 0 },
} as const satisfies Fields

const healthFields = {
  standbyok: { kind: 'string', description: 'Standby counts as well' },
  perfstandbyok: { kind: 'string', description: 'Performance standby counts as well' },
  activecode: { kind: 'string', description: 'Status when active' },
  standbycode: { kind: 'string', description: 'Status when standby' },
  drsecondarycode: { kind: 'string', description: 'Status of a DR secondary' },
  performancestandbycode: { kind: 'string', description: 'Status of a performance standby' },
  sealedcode: { kind: 'string', description: 'Status when sealed' },
  uninitcode: { kind: 'string', description: 'Status before initialisation' },
} as const satisfies Fields

const open = { access: 'public', sealed: 'allowed' } as const

export function lifecycleRoutes(options: LifecycleOptions): Route[] {
  const { seal } = options
  const health = operation({ ...open, input: healthFields, handle: (call) => healthReply(options, call) })
  const leader = operation({ ...open, input: {}, handle: async () => ({ kind: 'document', body: leaderJson }) })
  const initialised = operation({
    ...open,
    input: {},
    handle: async () => ({ kind: 'document', body: { initialized: (await seal.status()).initialised } }),
  })
  const init = operation({ ...open, input: initFields, handle: (call) => initialise(seal, call) })
  return [
    { path: 'init', summary: 'Initialises the server.', on: { read: initialised, update: init } },
    ...sealRoutes(options),
    { path: 'health', summary: 'Health, by status code.', on: { read: health, head: health } },
    { path: 'leader', summary: 'High availability.', on: { read: leader } },
  ]
}

function sealRoutes(options: LifecycleOptions): Route[] {
  const { seal } = options
  const document = async (): Promise<Reply> => ({
    kind: 'document',
    body: sealStatusJson(await seal.status(), options),
  })
  const unseal = operation({
    ...open,
    input: {
      key: { kind: 'string', description: 'A share, hex or base64', default: '' },
      reset: { kind: 'bool', description: 'Forget the shares given so far', default: false },
      migrate: { kind: 'bool', description: 'Not supported', default: false },
    },
    handle: async (call) => {
      if (call.input.migrate) throw new Refusal(400, 'seal migration is not supported by this server')
      const { key, reset } = call.input
      if (reset) seal.resetUnseal()
      else if (key !== '') await seal.unseal(parseShare(key))
      else throw new Refusal(400, "'key' must be specified in request body as JSON, or 'reset' set to true")
      return document()
    },
  })
  const sealAll = operation({
    input: {},
    access: 'sudo',
    handle: async () => {
      await seal.seal()
      return { kind: 'none' }
    },
  })
  const status = operation({ ...open, input: {}, handle: document })
  return [
    { path: 'seal-status', summary: 'Whether the server is sealed.', on: { read: status } },
    { path: 'unseal', summary: 'Takes one share of the unseal key.', on: { update: unseal } },
    { path: 'seal', summary: 'Seals the cluster: every node forgets its keys.', on: { update: sealAll } },
  ]
}

/** As Vault prints it without HA: always every member. */
const leaderJson: JsonObject = {
  ha_enabled: false,
  is_self: false,
  active_time: '0001-01-01T00:00:00Z',
  leader_address: '',
  leader_cluster_address: '',
  performance_standby: false,
  performance_standby_last_remote_wal: 0,
}

async function initialise(seal: SealControl, call: Call<InputOf<typeof initFields>>): Promise<Reply> {
  const { input } = call
  if ((await seal.status()).initialised) throw new Refusal(400, 'Vault is already initialized')
  if (input.pgp_keys?.length || input.root_token_pgp_key !== '' || input.recovery_pgp_keys?.length) {
    throw new Refusal(400, 'PGP keys are not supported by this server: leave pgp_keys and root_token_pgp_key out')
  }
  if (input.recovery_shares > 0 || input.recovery_threshold > 0) {
    throw new Refusal(400, 'parameters recovery_shares,recovery_threshold not applicable to seal type shamir')
  }
  const { keys, rootToken } = await seal.initialise({ shares: input.secret_shares, threshold: input.secret_threshold })
  return {
    kind: 'document',
    body: {
      keys: keys.map((key) => Buffer.from(key).toString('hex')),
      keys_base64: keys.map((key) => Buffer.from(key).toString('base64')),
      root_token: rootToken,
    },
  }
}

function sealStatusJson(status: SealStatus, options: LifecycleOptions): JsonObject {
  return {
    type: status.type,
    initialized: status.initialised,
    sealed: status.sealed,
    t: status.threshold,
    n: status.shares,
    progress: status.progress,
    nonce: status.nonce,
    version: options.version,
    build_date: '',
    commit_date: '',
    migration: false,
    ...(status.cluster ? { cluster_name: status.cluster.name, cluster_id: status.cluster.id } : {}),
    recovery_seal: false,
    storage_type: options.storageType,
    coffer_version: options.cofferVersion,
  }
}

async function healthReply(options: LifecycleOptions, call: Call<InputOf<typeof healthFields>>): Promise<Reply> {
  const { input } = call
  const status = await options.seal.status()
  const stopping = options.stopping()
  const replication = status.sealed ? 'unknown' : 'disabled'
  const codes = {
    active: code(input.activecode, 200),
    sealed: code(input.sealedcode, 503),
    uninit: code(input.uninitcode, 501),
  }
  // The other codes can't occur here, but a wrong one is still a mistake of the caller.
  for (const other of [input.standbycode, input.drsecondarycode, input.performancestandbycode]) code(other, 0)
  return {
    kind: 'document',
    status: stopping ? 503 : !status.initialised ? codes.uninit : status.sealed ? codes.sealed : codes.active,
    body: {
      initialized: status.initialised,
      sealed: status.sealed,
      standby: status.sealed,
      performance_standby: false,
      replication_performance_mode: replication,
      replication_dr_mode: replication,
      server_time_utc: Math.floor(call.now / 1000),
      version: options.version,
      enterprise: false,
      ...(status.cluster ? { cluster_name: status.cluster.name, cluster_id: status.cluster.id } : {}),
      echo_duration_ms: 0,
      clock_skew_ms: 0,
      coffer_version: options.cofferVersion,
      ...(stopping ? { stopping: true } : {}),
    },
  }
}

function code(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 200 || value > 599) throw new Refusal(400, [])
  return value
}
