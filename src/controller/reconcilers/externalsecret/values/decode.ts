import { ProviderError } from '../../../providers/provider.ts'

export type DecodingStrategy = 'Auto' | 'Base64' | 'Base64URL' | 'None'

/** Bytes in, bytes out: values are never taken through UTF-8. */
export function decodeValue(strategy: DecodingStrategy, value: Uint8Array): Uint8Array {
  if (strategy === 'None') return value
  if (strategy === 'Auto') {
    const plain = goBase64(value, standard)
    const found = typeof plain === 'number' ? goBase64(value, urlSafe) : plain
    return typeof found === 'number' ? value : found
  }
  const decoded = goBase64(value, strategy === 'Base64' ? standard : urlSafe)
  if (typeof decoded !== 'number') return decoded
  throw new ProviderError(
    'failed',
    `error applying decoding strategy ${strategy} to data: illegal base64 data at input byte ${decoded}`,
  )
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const standard = new Map([...`${letters}+/`].map((char, value) => [char.charCodeAt(0), value]))
const urlSafe = new Map([...`${letters}-_`].map((char, value) => [char.charCodeAt(0), value]))
const pad = '='.charCodeAt(0)

/** As Go's base64 with padding: line ends are skipped, everything else is strict. A number is where it went wrong. */
function goBase64(input: Uint8Array, alphabet: ReadonlyMap<number, number>): Uint8Array | number {
  const out: number[] = []
  let group: number[] = []
  for (let at = 0; at < input.length; at += 1) {
    const byte = input[at] ?? 0
    if (byte === 10 || byte === 13) continue
    const value = alphabet.get(byte)
    if (value !== undefined) {
      group.push(value)
      if (group.length < 4) continue
      out.push(...bytesOf(group))
      group = []
      continue
    }
    if (byte !== pad || group.length < 2) return at
    const end = afterPadding(input, at, group.length)
    if (end !== undefined) return end
    out.push(...bytesOf(group))
    return Uint8Array.from(out)
  }
  return group.length > 0 ? input.length - group.length : Uint8Array.from(out)
}

function bytesOf(group: readonly number[]): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = group
  const bytes = [(a << 2) | (b >> 4), ((b & 15) << 4) | (c >> 2), ((c & 3) << 6) | d]
  return bytes.slice(0, group.length - 1)
}

/** Undefined when the padding that starts at `at` is complete and the last thing. */
function afterPadding(input: Uint8Array, at: number, have: number): number | undefined {
  const skip = (from: number) => {
    let next = from
    while (input[next] === 10 || input[next] === 13) next += 1
    return next
  }
  let next = skip(at + 1)
  if (have === 2) {
    if (next >= input.length) return input.length
    if (input[next] !== pad) return next
    next = skip(next + 1)
  }
  return next < input.length ? next : undefined
}
