/** sys/tools/hash: a plain hash of what is sent. */
import { createHash } from 'node:crypto'
import type { Fields, InputOf } from '../../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../../contracts/request.ts'

const algorithms: Readonly<Record<string, string>> = {
  'sha2-224': 'sha224',
  'sha2-256': 'sha256',
  'sha2-384': 'sha384',
  'sha2-512': 'sha512',
  'sha3-224': 'sha3-224',
  'sha3-256': 'sha3-256',
  'sha3-384': 'sha3-384',
  'sha3-512': 'sha3-512',
}

const fields = {
  input: { kind: 'string', description: 'What to hash, base64', default: '' },
  algorithm: { kind: 'string', description: Object.keys(algorithms).join(', '), default: 'sha2-256' },
  urlalgorithm: { kind: 'string', description: 'The same, in the path', default: '' },
  format: { kind: 'string', description: 'hex or base64', default: 'hex' },
} as const satisfies Fields

export function hashRoutes(): Route[] {
  const update = operation({ input: fields, effect: 'none', handle: async (call) => hashReply(call) })
  const summary = 'A hash of the input.'
  return ['tools/hash', 'tools/hash/{urlalgorithm}'].map((path) => ({ path, summary, on: { update } }))
}

function hashReply({ input }: Call<InputOf<typeof fields>>): Reply {
  const bytes = decodeBase64(input.input)
  if (input.format !== 'hex' && input.format !== 'base64') {
    throw new Refusal(400, `unsupported encoding format ${input.format}; must be "hex" or "base64"`)
  }
  const name = input.urlalgorithm || input.algorithm
  const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined
  if (!algorithm) throw new Refusal(400, `unsupported algorithm ${name}`)
  return { kind: 'data', data: { sum: createHash(algorithm).update(bytes).digest(input.format) } }
}

/** As Go's StdEncoding: padded, line breaks ignored; the place of the first wrong character is told, never the character. */
function decodeBase64(text: string): Buffer {
  const clean = text.replace(/[\r\n]/g, '')
  const good = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?/.exec(clean)?.[0].length ?? 0
  if (good === clean.length) return Buffer.from(clean, 'base64')
  const wrong = clean.slice(good).search(/[^A-Za-z0-9+/]/)
  const at = wrong < 0 ? clean.length - (clean.length % 4) : good + wrong
  throw new Refusal(400, `unable to decode input as base64: illegal base64 data at input byte ${at}`)
}
