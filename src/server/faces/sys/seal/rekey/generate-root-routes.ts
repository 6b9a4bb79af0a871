/** sys/generate-root and decode-token: a root token that the holders of the keys make together. */
import type { JsonObject } from '../../../../../lib/json/value.ts'
import type { Fields } from '../../../../contracts/fields.ts'
import { operation, Refusal, type Reply, type Route } from '../../../../contracts/request.ts'
import { parseShare } from '../../../../seal/shamir/shares.ts'
import { decodeToken, type GenerationStatus, otpLength, type RootGeneration } from './root-generation.ts'

const startFields = {
  otp: { kind: 'string', description: 'One-time password that the token is combined with', default: '' },
  pgp_key: { kind: 'string', description: 'OpenPGP public key in base64, to encrypt the token to', default: '' },
} as const satisfies Fields

const shareFields = {
  key: { kind: 'string', description: 'One share, hex or base64', default: '', required: true },
  nonce: { kind: 'string', description: 'The nonce of the operation', default: '', required: true },
} as const satisfies Fields

export interface GenerateRootOptions {
  readonly rootGeneration: RootGeneration
  /** False: sys/generate-root/* for anybody is off (disable_unauthed_rekey_endpoints). */
  readonly open: () => boolean
}

export function generateRootRoutes({ rootGeneration, open }: GenerateRootOptions): Route[] {
  const document = (body: JsonObject): Reply => {
    return { kind: 'document', body }
  }
  const allowed = () => {
    if (!open()) throw new Refusal(405, 'unsupported operation')
  }
  return [
    ...attempt('generate-root', rootGeneration, { access: 'public', reply: document, allowed }),
    ...attempt('generate-root-token', rootGeneration, {
      access: 'sudo',
      reply: (data) => ({ kind: 'data', data }),
      allowed: () => {},
    }),
    decodeRoute,
  ]
}

interface Family {
  readonly access: 'public' | 'sudo'
  readonly reply: (body: JsonObject) => Reply
  readonly allowed: () => void
}

function attempt(path: string, generation: RootGeneration, { access, reply, allowed }: Family): Route[] {
  const base = { access, namespaces: 'root' } as const
  const status = async (otp = '') => reply(statusJson(await generation.status(), otp))
  const attemptOn: Route['on'] = {
    read: operation({
      ...base,
      input: {},
      handle: async () => {
        allowed()
        return status()
      },
    }),
    update: operation({
      ...base,
      input: startFields,
      handle: async (call) => {
        allowed()
        const { otp, pgp_key: pgpKey } = call.input
        return status(await generation.start({ otp, pgpKey }))
      },
    }),
    delete: operation({
      ...base,
      input: {},
      handle: async () => {
        allowed()
        await generation.cancel()
        return { kind: 'none' }
      },
    }),
  }
  const update = operation({
    ...base,
    input: shareFields,
    handle: async (call) => {
      allowed()
      if (call.input.key === '') throw new Refusal(400, "'key' must be specified in request body as JSON")
      return reply(statusJson(await generation.update(parseShare(call.input.key, ''), call.input.nonce), ''))
    },
  })
  return [
    { path: `${path}/attempt`, summary: 'A new root token: the operation under way.', on: attemptOn },
    { path: `${path}/update`, summary: 'One share of the keys.', on: { update } },
  ]
}

const decodeRoute: Route = {
  path: 'decode-token',
  summary: 'A root token from its encoded form and the one-time password.',
  on: {
    update: operation({
      access: 'public',
      namespaces: 'root',
      effect: 'none',
      input: {
        encoded_token: { kind: 'string', description: 'The encoded token', default: '' },
        otp: { kind: 'string', description: 'The one-time password', default: '' },
      },
      handle: async (call) => {
        const { encoded_token: encoded, otp } = call.input
        if (encoded === '') throw new Refusal(400, 'missing encoded_token')
        if (otp === '') throw new Refusal(400, 'missing otp')
        return { kind: 'data', data: { token: decodeToken(encoded, otp) } }
      },
    }),
  },
}

function statusJson(status: GenerationStatus, otp: string): JsonObject {
  return {
    nonce: status.nonce,
    started: status.started,
    progress: status.progress,
    required: status.required,
    complete: status.complete,
    encoded_token: status.encodedToken,
    encoded_root_token: status.encodedToken,
    pgp_fingerprint: status.fingerprint,
    otp,
    otp_length: otpLength,
  }
}
