/** sys/init, seal-status, unseal, seal, leader and those who stand behind them: documents without envelope, most of them for everyone. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { parseShare } from '../../../seal/shamir/shares.ts'
import { healthRoute } from './health.ts'
import { keyRotationRoutes } from './key-rotation-routes.ts'
import { generateRootRoutes } from './rekey/generate-root-routes.ts'
import { rekeyRoutes } from './rekey/rekey-routes.ts'
import type { SealControl, SealStatus } from './seal-control.ts'

export interface LifecycleOptions {
  readonly seal: SealControl
  /** What clients take for Vault's version: a semver that they gate features on. */
  readonly version: string
  readonly cofferVersion: string
  readonly storageType: string
  /** True from the moment the process was asked to stop. */
  readonly stopping: () => boolean
  /** False: the endpoints that holders of keys use without a token are off (disable_unauthed_rekey_endpoints). Default: on. */
  readonly unauthenticatedRekey?: () => boolean
}

const initFields = {
  secret_shares: { kind: 'int', description: 'How many shares the key is split into', default: 0 },
  secret_threshold: { kind: 'int', description: 'How many of them unseal', default: 0 },
  pgp_keys: { kind: 'commaList', description: 'OpenPGP public keys in base64, one for each share', default: [] },
  root_token_pgp_key: { kind: 'string', description: 'OpenPGP public key for the root token', default: '' },
  recovery_shares: { kind: 'int', description: 'Only for seals that unseal themselves', default: 0 },
  recovery_threshold: { kind: 'int', description: 'Only for seals that unseal themselves', default: 0 },
  recovery_pgp_keys: { kind: 'commaList', description: 'OpenPGP public keys for recovery shares', default: [] },
  stored_shares: { kind: 'int', description: 'Not used', default: 0 },
} as const satisfies Fields

const status = { access: 'public', sealed: 'allowed' } as const

export function lifecycleRoutes(options: LifecycleOptions): Route[] {
  const { seal } = options
  const open = () => options.unauthenticatedRekey?.() ?? true
  const leader = operation({ ...status, input: {}, handle: async () => ({ kind: 'document', body: leaderJson }) })
  const initialised = operation({
    ...status,
    input: {},
    handle: async () => ({ kind: 'document', body: { initialized: (await seal.status()).initialised } }),
  })
  const init = operation({ ...status, input: initFields, handle: (call) => initialise(options, call) })
  return [
    { path: 'init', summary: 'Initialises the server.', on: { read: initialised, update: init } },
    ...sealRoutes(options),
    healthRoute(options),
    { path: 'leader', summary: 'High availability.', on: { read: leader } },
    stepDownRoute(options),
    ...keyRotationRoutes(seal.rotation, seal.rekey),
    ...rekeyRoutes({ rekey: seal.rekey, open }),
    ...generateRootRoutes({ rootGeneration: seal.rootGeneration, open }),
  ]
}

function sealRoutes(options: LifecycleOptions): Route[] {
  const { seal } = options
  const document = async (): Promise<Reply> => ({
    kind: 'document',
    body: sealStatusJson(await seal.status(), options),
  })
  const unseal = operation({
    ...status,
    input: {
      key: { kind: 'string', description: 'A share, hex or base64', default: '' },
      reset: { kind: 'bool', description: 'Forget the shares given so far', default: false },
      migrate: { kind: 'bool', description: 'Go on with a migration to the configured seal', default: false },
    },
    handle: async (call) => {
      const { key, reset, migrate } = call.input
      if (reset) seal.resetUnseal()
      else if (key !== '') await seal.unseal(parseShare(key), migrate)
      else throw new Refusal(400, "'key' must be specified in request body as JSON, or 'reset' set to true")
      return document()
    },
  })
  const sealAll = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async () => {
      await seal.seal()
      return { kind: 'none' }
    },
  })
  const sealStatus = operation({ ...status, input: {}, handle: document })
  return [
    { path: 'seal-status', summary: 'Whether the server is sealed.', on: { read: sealStatus } },
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

async function initialise(options: LifecycleOptions, call: Call<InputOf<typeof initFields>>): Promise<Reply> {
  const { seal } = options
  const { input } = call
  const before = await seal.status()
  if (before.initialised) throw new Refusal(400, 'Vault is already initialized')
  refuseWrongSet(input, before)
  const { keys, recoveryKeys, rootToken } = await seal.initialise({
    shares: input.secret_shares,
    threshold: input.secret_threshold,
    recoveryShares: input.recovery_shares,
    recoveryThreshold: input.recovery_threshold,
    pgpKeys: before.recovery ? input.recovery_pgp_keys : input.pgp_keys,
    rootPgpKey: input.root_token_pgp_key,
  })
  return {
    kind: 'document',
    body: {
      keys: hex(keys),
      keys_base64: base64(keys),
      ...(recoveryKeys.length > 0
        ? { recovery_keys: hex(recoveryKeys), recovery_keys_base64: base64(recoveryKeys) }
        : {}),
      root_token: rootToken,
    },
  }
}

const hex = (keys: readonly Uint8Array[]) => keys.map((key) => Buffer.from(key).toString('hex'))
const base64 = (keys: readonly Uint8Array[]) => keys.map((key) => Buffer.from(key).toString('base64'))

/** Unseal keys belong to a seal of shares, recovery keys to one that unseals by itself. */
function refuseWrongSet(input: InputOf<typeof initFields>, { recovery, type }: SealStatus): void {
  const given = recovery
    ? { secret_shares: input.secret_shares, secret_threshold: input.secret_threshold, pgp_keys: input.pgp_keys.length }
    : {
        recovery_shares: input.recovery_shares,
        recovery_threshold: input.recovery_threshold,
        recovery_pgp_keys: input.recovery_pgp_keys.length,
      }
  const wrong = Object.entries(given).flatMap(([name, value]) => (value === 0 ? [] : [name]))
  if (wrong.length > 0) throw new Refusal(400, `parameters ${wrong.join(',')} not applicable to seal type ${type}`)
}

function stepDownRoute({ seal }: LifecycleOptions): Route {
  const stepDown = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async () => {
      await seal.stepDown()
      return { kind: 'none' }
    },
  })
  return { path: 'step-down', summary: 'This node gives up the housekeeping.', on: { update: stepDown } }
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
    migration: status.migration,
    ...(status.cluster ? { cluster_name: status.cluster.name, cluster_id: status.cluster.id } : {}),
    recovery_seal: status.recovery,
    ...(status.recovery ? { recovery_seal_type: 'shamir' } : {}),
    storage_type: options.storageType,
    coffer_version: options.cofferVersion,
  }
}
