/** What the server and the process that speaks to the token tell each other over its pipes. */
import * as z from 'zod'
import { isOaepHash } from './cryptoki.ts'

const keyName = z.object({ label: z.string().optional(), id: z.string().optional() })
const mechanism = z.enum(['CKM_AES_GCM', 'CKM_RSA_PKCS_OAEP'])
const requestSchema = z.object({
  act: z.enum(['wrap', 'unwrap']),
  place: z.object({
    library: z.string(),
    slot: z.string().optional(),
    label: z.string().optional(),
    readWrite: z.boolean(),
  }),
  pin: z.string(),
  /** Tried in this order: an older key may have been relabelled since. */
  keys: z.array(keyName).min(1),
  mechanism: mechanism.optional(),
  hash: z.string().refine(isOaepHash),
  local: z.boolean(),
  /** Base64. */
  nonce: z.string(),
})
export type TokenRequest = z.infer<typeof requestSchema>

/** Length (4 bytes) | JSON | root key or blob. The JSON holds the PIN. */
export function encodeRequest(request: TokenRequest, payload: Uint8Array): Buffer {
  const json = JSON.stringify(request)
  const end = 4 + Buffer.byteLength(json)
  // One buffer, so that who asks can zero all of it.
  const out = Buffer.alloc(end + payload.length)
  out.writeUInt32BE(end - 4)
  out.write(json, 4)
  out.set(payload, end)
  return out
}

/** Throws an Error that holds nothing of it. */
export function decodeRequest(bytes: Buffer): { readonly request: TokenRequest; readonly payload: Buffer } {
  try {
    const end = 4 + bytes.readUInt32BE(0)
    const request = requestSchema.parse(JSON.parse(bytes.toString('utf8', 4, end)))
    return { request, payload: bytes.subarray(end) }
  } catch {
    throw new Error('this is no request to a token')
  }
}

export type TokenAnswer =
  | { readonly bytes: Buffer }
  /** `pin`: the PIN was refused by the token. */
  | { readonly fault: string; readonly pin: boolean }

const kinds = { bytes: 0, fault: 1, wrongPin: 2 } as const
const headBytes = 5

/** Kind (1 byte) | length (4) | bytes, or the words of what went wrong. */
export function encodeAnswer(answer: TokenAnswer): Buffer {
  const body = 'bytes' in answer ? answer.bytes : Buffer.from(answer.fault)
  const head = Buffer.alloc(headBytes)
  head[0] = 'bytes' in answer ? kinds.bytes : answer.pin ? kinds.wrongPin : kinds.fault
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

/** Undefined: there is more to come. */
export function decodeAnswer(bytes: Buffer): TokenAnswer | undefined {
  if (bytes.length < headBytes || bytes.length < headBytes + bytes.readUInt32BE(1)) return undefined
  const body = bytes.subarray(headBytes, headBytes + bytes.readUInt32BE(1))
  return bytes[0] === kinds.bytes ? { bytes: body } : { fault: body.toString('utf8'), pin: bytes[0] === kinds.wrongPin }
}
