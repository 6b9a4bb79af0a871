/** What a verifier reads of a line: its link to the line before, and what a line about the chain says. */

export interface Link {
  readonly chain: string
  readonly seq: number
  /** Hex HMAC of line `seq` - 1, of the chain's id for the first. */
  readonly prev: string
}

/** Where a chain stood, as another line or storage says. */
export interface WitnessedHead {
  readonly chain: string
  readonly seq: number
  readonly mac: string
  /** RFC 3339. */
  readonly time?: string
  readonly device?: string
  readonly closed: boolean
}

/** A line of type "chain". */
export interface ChainRecord {
  readonly event: string
  /** The device whose chain it is. */
  readonly device?: string
  readonly heads: readonly WitnessedHead[]
  readonly dropped?: { readonly lines: number; readonly from: string; readonly to: string }
  readonly signed?: {
    readonly lines: number
    readonly digest: string
    readonly publicKey: string
    readonly signature: string
    /** What the signature stands for. */
    readonly text: string
  }
}

const start = '{"time":"'
const linkPattern = /,"chain":"([0-9a-f-]{36})","seq":([1-9]\d{0,15}),"prev":"([0-9a-f]{64})"\}$/
const signaturePattern =
  /,"signature":"([A-Za-z0-9+/]{86}==)"(?=,"chain":"[0-9a-f-]{36}","seq":\d+,"prev":"[0-9a-f]{64}"\}$)/

/** The line from its first member on: what a device's prefix or a collector has put before it is no part of the chain. */
export function withoutPrefix(bytes: Uint8Array): Uint8Array {
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(start)
  return at > 0 ? bytes.subarray(at) : bytes
}

/** The link is at the end of a line, after everything that clients can influence. */
export function readLink(text: string): Link | undefined {
  const match = linkPattern.exec(text)
  const [, chain = '', seq = '', prev = ''] = match ?? []
  return match ? { chain, seq: Number(seq), prev } : undefined
}

/** The time that a line says it was written. */
export function timeOf(text: string): string | undefined {
  return /^\{"time":"([0-9TZ:.+-]{1,40})"/.exec(text)?.[1]
}

export function isChainLine(text: string): boolean {
  return /^\{"time":"[^"]{1,40}","type":"chain",/.test(text)
}

/** Undefined when the line is not what the server writes: its own chain says that it was altered. */
export function readChainRecord(text: string): ChainRecord | undefined {
  const line = parseObject(text)
  if (!line) return undefined
  const heads = Object.entries(objectOf(line['heads'])).map(([chain, value]) => {
    const { seq, mac, time, device, closed } = objectOf(value)
    return {
      chain,
      seq: Number(seq),
      mac: String(mac),
      closed: closed === true,
      ...(typeof time === 'string' ? { time } : {}),
      ...(typeof device === 'string' ? { device } : {}),
    }
  })
  const event = String(line['event'])
  const signature = signaturePattern.exec(text)?.[1]
  return {
    event,
    heads,
    ...(typeof line['device'] === 'string' ? { device: line['device'] } : {}),
    ...(event === 'dropped'
      ? { dropped: { lines: Number(line['lines']), from: String(line['from']), to: String(line['to']) } }
      : {}),
    ...(signature === undefined
      ? {}
      : {
          signed: {
            lines: Number(line['lines']),
            digest: String(line['digest']),
            publicKey: String(line['public_key']),
            signature,
            text: text.replace(signaturePattern, ''),
          },
        }),
  }
}

export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
