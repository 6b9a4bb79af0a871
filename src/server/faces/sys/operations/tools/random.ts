/** sys/tools/random: bytes for those who have no good source of their own. */
import type { RandomBytes } from '../../../../../lib/random.ts'
import type { Fields, InputOf } from '../../../../contracts/fields.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../../contracts/request.ts'

const maxBytes = 128 * 1024
const sources = new Set(['', 'platform', 'seal', 'all'])

const fields = {
  bytes: { kind: 'int', description: 'How many bytes', default: 32 },
  format: { kind: 'string', description: 'hex or base64', default: 'base64' },
  source: { kind: 'string', description: 'platform, seal or all: one and the same here', default: 'platform' },
  urlbytes: { kind: 'string', description: 'How many bytes, in the path', default: '' },
} as const satisfies Fields

export function randomRoutes(random: RandomBytes): Route[] {
  const update = operation({ input: fields, effect: 'none', handle: async (call) => bytesReply(random, call) })
  const summary = 'Random bytes.'
  return ['tools/random', 'tools/random/{source}', 'tools/random/{source}/{urlbytes}'].map((path) => ({
    path,
    summary,
    on: { update },
  }))
}

/** One segment in the path is a source if it names one, else a number: as Vault, so that policies can fix both. */
function bytesReply(random: RandomBytes, call: Call<InputOf<typeof fields>>): Reply {
  const { input, params } = call
  const onlyNumber = params['urlbytes'] === undefined && !sources.has(input.source)
  const inPath = params['urlbytes'] ?? (onlyNumber ? input.source : undefined)
  const count = inPath === undefined ? input.bytes : pathCount(inPath)
  const source = onlyNumber ? 'platform' : input.source
  if (count < 1) throw new Refusal(400, "'bytes' cannot be less than 1")
  if (count > maxBytes) throw new Refusal(400, `'bytes' should be less than ${maxBytes}`)
  if (input.format !== 'hex' && input.format !== 'base64') {
    throw new Refusal(400, `unsupported encoding format ${JSON.stringify(input.format)}; must be "hex" or "base64"`)
  }
  if (!sources.has(source)) {
    throw new Refusal(
      400,
      `unsupported entropy source ${JSON.stringify(source)}; must be "platform" or "seal", or "all"`,
    )
  }
  if (source === 'seal') call.warn('no seal/entropy augmentation available, using platform entropy source')
  const text = Buffer.from(random(count)).toString(input.format)
  return { kind: 'data', data: { random_bytes: text } }
}

function pathCount(text: string): number {
  if (/^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new Refusal(
    400,
    `error parsing url-set byte count: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
  )
}
