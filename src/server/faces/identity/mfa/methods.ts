/** identity/mfa/method: TOTP methods, and the keys that people get for them. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { noMethod } from '../../../identity/mfa/method-store.ts'
import type { FoundMethod, MfaStore } from '../../../identity/mfa/mfa-store.ts'
import { type Listed, listed, pageFields } from '../listing.ts'

const methodFields = {
  method_name: { kind: 'string', description: 'A name, for X-Vault-MFA; must be the only one', default: '' },
  issuer: { kind: 'string', description: 'Who issues the key, for the authenticator app', required: true, default: '' },
  period: { kind: 'duration', description: 'How long a passcode stands', default: 30_000 },
  key_size: { kind: 'int', description: 'Bytes of a key', default: 20 },
  qr_size: { kind: 'int', description: 'Pixels of the picture of a key; 0: no picture', default: 200 },
  algorithm: { kind: 'string', description: 'SHA1, SHA256 or SHA512', default: 'SHA1' },
  digits: { kind: 'int', description: 'Digits of a passcode: 6 or 8', default: 6 },
  skew: { kind: 'int', description: 'Periods before and after now whose passcode counts: 0 or 1', default: 1 },
  max_validation_attempts: { kind: 'int', description: 'Failures within a period before it waits', default: 5 },
  enable_self_enrollment: { kind: 'bool', description: 'Whoever has no key gets one while logging in', default: false },
} as const satisfies Fields

const secretFields = {
  method_id: { kind: 'string', description: 'The method', required: true, default: '' },
  entity_id: { kind: 'string', description: 'Whose key it is', required: true, default: '' },
} as const satisfies Fields

const empty: Reply = { kind: 'none' }
const otherTypes = ['duo', 'okta', 'pingid'] as const
const idOf = (call: Call<unknown>) => call.params['method_id'] ?? ''

export function mfaMethodRoutes(mfa: MfaStore): Route[] {
  const list = operation({ input: pageFields, handle: (call) => listMethods(mfa, call) })
  const read = operation({
    input: {},
    handle: async (call) => {
      const found = await mfa.method(idOf(call), true)
      return found ? { kind: 'data', data: methodJson(found) } : empty
    },
  })
  const create = operation({ input: methodFields, handle: (call) => writeMethod(mfa, call.input, undefined) })
  const update = operation({ input: methodFields, handle: (call) => writeMethod(mfa, call.input, idOf(call)) })
  const remove = operation({
    input: {},
    handle: async (call) => {
      await refuseForeign(mfa, idOf(call))
      await mfa.deleteMethod(idOf(call))
      return empty
    },
  })
  return [
    { path: 'mfa/method', summary: 'Lists the methods of second factors.', on: { list } },
    { path: 'mfa/method/{method_id}', summary: 'A method of a second factor.', on: { read } },
    { path: 'mfa/method/totp', summary: 'Makes a TOTP method.', on: { list, update: create } },
    { path: 'mfa/method/totp/{method_id}', summary: 'A TOTP method.', on: { read, update, delete: remove } },
    ...secretRoutes(mfa),
    ...otherTypes.flatMap(otherRoutes),
  ]
}

function secretRoutes(mfa: MfaStore): Route[] {
  const { method_id } = secretFields
  const generate = operation({
    input: { method_id },
    handle: (call) => generateSecret(mfa, call.input.method_id, call.caller?.entityId ?? ''),
  })
  const adminGenerate = operation({
    input: secretFields,
    handle: ({ input }) => generateSecret(mfa, input.method_id, input.entity_id),
  })
  const adminDestroy = operation({
    input: secretFields,
    handle: async ({ input }) => {
      if (input.method_id === '') throw new Refusal(400, 'missing method ID')
      if (input.entity_id === '') throw new Refusal(400, 'missing entity ID')
      if (!(await mfa.method(input.method_id))) throw noMethod(input.method_id, 400)
      await mfa.secrets.destroy(input.method_id, input.entity_id)
      return empty
    },
  })
  const selfEnrol = operation({
    input: {
      mfa_request_id: { kind: 'string', description: 'What the login answered', required: true, default: '' },
      mfa_method_id: { kind: 'string', description: 'The method', required: true, default: '' },
    },
    access: 'public',
    handle: async ({ input }) => {
      if (input.mfa_request_id === '') throw new Refusal(400, 'missing request ID')
      if (input.mfa_method_id === '') throw new Refusal(400, 'missing method ID')
      const { barcode, url } = await mfa.enrol(input.mfa_request_id, input.mfa_method_id)
      return { kind: 'data', data: { barcode, url } }
    },
  })
  const path = 'mfa/method/totp'
  return [
    { path: `${path}/self-enroll`, summary: 'Makes a key for who is logging in.', on: { update: selfEnrol } },
    { path: `${path}/generate`, summary: 'Makes a key for the entity of the caller.', on: { update: generate } },
    { path: `${path}/admin-generate`, summary: 'Makes a key for an entity.', on: { update: adminGenerate } },
    { path: `${path}/admin-destroy`, summary: 'Takes the key of an entity away.', on: { update: adminDestroy } },
  ]
}

/** Services that push to telephones: refused in words rather than by a 404, and none is ever there. */
function otherRoutes(type: string): Route[] {
  const refuse = operation({
    input: 'free',
    handle: async () => {
      throw new Refusal(400, `MFA methods of type ${type} are not supported by this server: use totp`)
    },
  })
  const nothing = operation({ input: {}, handle: async () => empty })
  return [
    { path: `mfa/method/${type}`, summary: 'Not supported.', on: { list: nothing, update: refuse } },
    { path: `mfa/method/${type}/{method_id}`, summary: 'Not supported.', on: { read: nothing, update: refuse } },
  ]
}

async function writeMethod(
  mfa: MfaStore,
  input: {
    readonly method_name: string
    readonly issuer: string
    readonly period: number
    readonly key_size: number
    readonly qr_size: number
    readonly algorithm: string
    readonly digits: number
    readonly skew: number
    readonly max_validation_attempts: number
    readonly enable_self_enrollment: boolean
  },
  id: string | undefined,
): Promise<Reply> {
  if (id !== undefined) await refuseForeign(mfa, id)
  const made = await mfa.methods.put(id, {
    name: input.method_name,
    issuer: input.issuer,
    periodMs: input.period,
    digits: input.digits,
    algorithm: input.algorithm,
    skew: input.skew,
    keySize: input.key_size,
    qrSize: input.qr_size,
    maxAttempts: input.max_validation_attempts,
    selfEnrollment: input.enable_self_enrollment,
  })
  return id === undefined ? { kind: 'data', data: { method_id: made } } : empty
}

/** Only its own namespace changes a method. */
async function refuseForeign(mfa: MfaStore, id: string): Promise<void> {
  const found = await mfa.method(id, true)
  if (found && found.owner !== mfa) throw new Refusal(400, 'request namespace does not match method namespace')
}

async function generateSecret(mfa: MfaStore, methodId: string, entityId: string): Promise<Reply> {
  if (methodId === '') throw new Refusal(400, 'missing method ID')
  if (entityId === '') throw new Refusal(400, 'missing entityID')
  const found = await mfa.method(methodId)
  if (!found) throw noMethod(methodId, 400)
  const made = await mfa.secrets.generate(found.row, entityId)
  if (made !== 'known') return { kind: 'data', data: { barcode: made.barcode, url: made.url } }
  return { kind: 'none', warnings: [`Entity already has a secret for MFA method ${JSON.stringify(found.row.name)}`] }
}

function listMethods(mfa: MfaStore, call: Call<{ readonly after: string; readonly limit: number }>): Promise<Reply> {
  async function* items(): AsyncGenerator<Listed> {
    const keys: FoundMethod[] = []
    for (const owner of mfa.reach()) for await (const row of owner.methods.all()) keys.push({ row, owner })
    for (const found of keys.sort((a, b) => (a.row.id < b.row.id ? -1 : 1))) {
      if (found.row.id > call.input.after) yield { key: found.row.id, info: methodJson(found) }
    }
  }
  return listed(items(), { ...call.input, signal: call.signal })
}

const methodJson = ({ row, owner }: FoundMethod): JsonObject => ({
  algorithm: row.algorithm,
  digits: row.digits,
  id: row.id,
  issuer: row.issuer,
  key_size: row.keySize,
  max_validation_attempts: row.maxAttempts,
  name: row.name,
  namespace_id: owner.namespaceId,
  namespace_path: owner.namespacePath,
  period: row.period,
  qr_size: row.qrSize,
  skew: row.skew,
  type: 'totp',
  // OpenBao's answer has no such member.
  ...(row.selfEnrollment ? { enable_self_enrollment: true } : {}),
})
