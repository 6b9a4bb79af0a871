/** sys/rekey and sys/rotate/root|recovery: new keys by those who hold the present ones. */
import type { JsonObject } from '../../../../../lib/json/value.ts'
import type { Fields, InputOf } from '../../../../contracts/fields.ts'
import { type Operation, operation, Refusal, type Reply, type Route } from '../../../../contracts/request.ts'
import { parseShare } from '../../../../seal/shamir/shares.ts'
import { backupRoute } from './backup-routes.ts'
import type { Rekey, RekeyResult, RekeyStatus } from './rekey.ts'
import { type RekeyTarget, type RekeyWords, rekeyWords, rotationWords } from './rekey-row.ts'

const startFields = {
  secret_shares: { kind: 'int', description: 'How many shares the new key is split into', default: 0 },
  secret_threshold: { kind: 'int', description: 'How many of them are needed', default: 0 },
  pgp_keys: {
    kind: 'commaList',
    description: 'OpenPGP public keys in base64, one for each share, which goes out encrypted to it',
    default: [],
  },
  backup: { kind: 'bool', description: 'Keep the encrypted shares, for the backup endpoint', default: false },
  require_verification: {
    kind: 'bool',
    description: 'The new shares count only once they were shown',
    default: false,
  },
} as const satisfies Fields

const shareFields = {
  key: { kind: 'string', description: 'One share, hex or base64', default: '', required: true },
  nonce: { kind: 'string', description: 'The nonce of the operation', default: '', required: true },
} as const satisfies Fields

/** How one family of routes speaks. */
interface Family {
  readonly target: RekeyTarget
  readonly words: RekeyWords
  readonly access: 'public' | 'sudo'
  /** sys/rekey answers bare documents, sys/rotate envelopes. */
  readonly reply: (body: JsonObject) => Reply
  readonly missingKey: string
}

const document = (body: JsonObject): Reply => ({ kind: 'document', body })
const envelope = (data: JsonObject): Reply => ({ kind: 'data', data })
const rekeyFamily = { words: rekeyWords, access: 'public', reply: document } as const
const rotateFamily = { words: rotationWords, access: 'sudo', reply: envelope } as const

export interface RekeyRoutesOptions {
  readonly rekey: Rekey
  /** False: sys/rekey/* for anybody is off (disable_unauthed_rekey_endpoints). */
  readonly open: () => boolean
}

export function rekeyRoutes({ rekey, open }: RekeyRoutesOptions): Route[] {
  const missingKey = "'key' must be specified in request body as JSON"
  const missingField = "missing required field 'key'"
  const unauthenticated = (target: RekeyTarget, path: string): Route[] =>
    attempts(path, rekey, { ...rekeyFamily, target, missingKey }).map((route) => guarded(route, open))
  return [
    ...unauthenticated('barrier', 'rekey'),
    ...unauthenticated('recovery', 'rekey-recovery-key'),
    ...attempts('rotate/root', rekey, { ...rotateFamily, target: 'barrier', missingKey: missingField }),
    ...attempts('rotate/recovery', rekey, { ...rotateFamily, target: 'recovery', missingKey: missingField }),
    backupRoute('rekey/backup', rekey.backups, 'barrier'),
    backupRoute('rekey/recovery-key-backup', rekey.backups, 'recovery'),
    backupRoute('rotate/root/backup', rekey.backups, 'barrier'),
    backupRoute('rotate/recovery/backup', rekey.backups, 'recovery'),
  ]
}

function guarded(route: Route, open: () => boolean): Route {
  const on = Object.fromEntries(
    Object.entries(route.on).map(([verb, op]): [string, Operation] => [
      verb,
      {
        ...op,
        handle: async (call) => {
          if (!open()) throw new Refusal(405, 'unsupported operation')
          return op.handle(call)
        },
      },
    ]),
  )
  return { ...route, on }
}

function attempts(path: string, rekey: Rekey, family: Family): Route[] {
  return [
    {
      path: `${path}/init`,
      summary: 'New unseal or recovery keys: the operation under way.',
      on: initOn(rekey, family),
    },
    {
      path: `${path}/update`,
      summary: 'One share of the present keys.',
      on: { update: updateOperation(rekey, family) },
    },
    { path: `${path}/verify`, summary: 'Shares of the new keys, shown.', on: verifyOn(rekey, family) },
  ]
}

function initOn(rekey: Rekey, family: Family): Route['on'] {
  const { reply, access } = family
  const status = async () => reply(statusJson(await rekey.status(family)))
  const base = { access, namespaces: 'root' } as const
  return {
    read: operation({ ...base, input: {}, handle: status }),
    update: operation({
      ...base,
      input: startFields,
      handle: async (call) => {
        const result = await rekey.start(family, requestOf(call.input), access === 'sudo')
        return result ? reply(resultJson(result, call.input)) : status()
      },
    }),
    delete: operation({
      ...base,
      input: {},
      handle: async () => {
        await rekey.cancel(family)
        return { kind: 'none' }
      },
    }),
  }
}

const requestOf = (input: InputOf<typeof startFields>) => ({
  shares: input.secret_shares,
  threshold: input.secret_threshold,
  verify: input.require_verification,
  backup: input.backup,
  pgpKeys: input.pgp_keys,
})

function updateOperation(rekey: Rekey, family: Family): Operation {
  return operation({
    access: family.access,
    namespaces: 'root',
    input: shareFields,
    handle: async (call) => {
      const share = shareOf(call.input, family)
      const result = await rekey.update(family, share, call.input.nonce)
      return family.reply(result ? resultJson(result) : statusJson(await rekey.status(family)))
    },
  })
}

function verifyOn(rekey: Rekey, family: Family): Route['on'] {
  const { reply, access, words } = family
  const base = { access, namespaces: 'root' } as const
  const status = async () => {
    const { row } = await rekey.status(family)
    if (!row) throw new Refusal(400, `no ${words === rekeyWords ? 'rekey' : 'rotation'} configuration found`)
    return reply(verificationJson(row))
  }
  return {
    read: operation({ ...base, input: {}, handle: status }),
    update: operation({
      ...base,
      input: shareFields,
      handle: async (call) => {
        const { complete, nonce } = await rekey.verify(family, shareOf(call.input, family), call.input.nonce)
        return complete ? reply({ nonce, complete }) : status()
      },
    }),
    delete: operation({
      ...base,
      input: {},
      handle: async () => {
        await rekey.restartVerification(family)
        return status()
      },
    }),
  }
}

function shareOf(input: InputOf<typeof shareFields>, family: Family): Uint8Array {
  if (input.key === '') throw new Refusal(400, family.missingKey)
  if (input.nonce === '' && family.access === 'sudo') throw new Refusal(400, "missing required field 'nonce'")
  return parseShare(input.key, '')
}

function statusJson({ required, row }: RekeyStatus): JsonObject {
  return {
    nonce: row?.nonce ?? '',
    started: row !== undefined,
    t: row?.threshold ?? 0,
    n: row?.shares ?? 0,
    progress: row?.given.length ?? 0,
    required,
    pgp_fingerprints: row?.recipients?.map(({ fingerprint }) => fingerprint) ?? null,
    backup: row?.backup ?? false,
    verification_required: row?.verify ?? false,
    ...(row?.verification ? { verification_nonce: row.verification.nonce } : {}),
  }
}

function resultJson(result: RekeyResult, started?: InputOf<typeof startFields>): JsonObject {
  const { verificationNonce } = result
  return {
    nonce: result.nonce,
    complete: true,
    ...(started ? { t: started.secret_threshold, n: started.secret_shares } : {}),
    keys: result.shares.map((share) => Buffer.from(share).toString('hex')),
    keys_base64: result.shares.map((share) => Buffer.from(share).toString('base64')),
    pgp_fingerprints: result.fingerprints ?? null,
    backup: result.backup,
    verification_required: verificationNonce !== undefined,
    ...(verificationNonce === undefined ? {} : { verification_nonce: verificationNonce }),
  }
}

function verificationJson(row: NonNullable<RekeyStatus['row']>): JsonObject {
  return {
    nonce: row.verification?.nonce ?? '',
    started: row.verification !== undefined,
    t: row.threshold,
    n: row.shares,
    progress: row.verification?.given.length ?? 0,
  }
}
