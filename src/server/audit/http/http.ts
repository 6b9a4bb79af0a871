/** The audit device `http`: posts lines, several at once, to a collector. */
import { parseJson } from '../../../lib/json/parse.ts'
import { isJsonObject, type Json } from '../../../lib/json/value.ts'
import type { Dialer } from '../../../lib/outbound/outbound.ts'
import type { AuditDevice, AuditDeviceType } from '../../contracts/devices.ts'
import { Refusal } from '../../contracts/request.ts'

export interface HttpAuditOptions {
  /** "host:port": whoever may call sys/audit must not make the server post to anything else. */
  readonly destinations: readonly string[]
  /** Must allow these destinations. */
  readonly dialer: Pick<Dialer, 'request'>
}

const maxBatchBytes = 4 * 1024 * 1024
const forbidden = ['content-length', 'content-type', 'host', 'connection', 'transfer-encoding']

/** Options of a device: `uri`, and `headers` as JSON: {"Authorization": ["Bearer …"]}. */
export function httpAudit({ destinations, dialer }: HttpAuditOptions): AuditDeviceType {
  return {
    type: 'http',
    options: ['uri', 'headers'],
    async open(given) {
      const uri = readUri(given['uri'] ?? '', destinations)
      return new HttpDevice(uri, readHeaders(given['headers'] ?? ''), dialer)
    },
  }
}

function readUri(text: string, destinations: readonly string[]): string {
  if (text === '') throw new Refusal(400, 'uri is required')
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new Refusal(400, 'uri must be an http or https address without credentials')
  }
  const host = `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`.toLowerCase()
  if (!destinations.some((known) => known.toLowerCase() === host)) {
    throw new Refusal(400, 'uri is not a destination that the server allows for audit devices (audit_destinations)')
  }
  return url.href
}

function readHeaders(text: string): Readonly<Record<string, string>> {
  if (text === '') return {}
  const wrong = (why: string) => new Refusal(400, `headers must be a JSON object of names and values: ${why}`)
  let read: Json
  try {
    read = parseJson(text)
  } catch {
    throw wrong('it is no JSON')
  }
  if (!isJsonObject(read)) throw wrong('it is no object')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(read)) {
    const values = Array.isArray(value) ? value : [value]
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw wrong('a name is no header name')
    if (forbidden.includes(name.toLowerCase())) throw wrong(`${name} is set by the server`)
    const texts = values.map((one) => {
      if (typeof one !== 'string' || !/^[\t\x20-\x7e]*$/.test(one))
        throw wrong(`the value of ${name} must be visible ASCII`)
      return one
    })
    headers[name] = texts.join(', ')
  }
  return headers
}

class HttpDevice implements AuditDevice {
  readonly type = 'http'
  readonly #uri: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #dialer: Pick<Dialer, 'request'>

  constructor(uri: string, headers: Readonly<Record<string, string>>, dialer: Pick<Dialer, 'request'>) {
    this.#uri = uri
    this.#headers = { 'Content-Type': 'application/x-ndjson', ...headers }
    this.#dialer = dialer
  }

  /** One request for what fits into one; accepted when the answer is 2xx. */
  async write(lines: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    for (const batch of batches(lines)) {
      const { status } = await this.#post(Buffer.concat(batch).toString(), signal)
      if (status < 200 || status > 299) throw new Error(`the audit collector answered ${status}`)
    }
  }

  /** A kept connection that the collector had closed is no failure: twice the same line is better than a refused request. */
  async #post(body: string, signal: AbortSignal) {
    const call = { url: this.#uri, method: 'POST', headers: this.#headers, body, maxBytes: 64 * 1024, signal }
    try {
      return await this.#dialer.request(call)
    } catch (error) {
      const stale = error instanceof Error && error.cause instanceof Error && error.cause.name === 'StaleConnection'
      if (!stale) throw error
      return this.#dialer.request(call)
    }
  }

  async close(): Promise<void> {}
}

function batches(lines: readonly Uint8Array[]): Uint8Array[][] {
  const all: Uint8Array[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const line of lines) {
    if (size + line.length > maxBatchBytes) {
      all.push([])
      size = 0
    }
    all.at(-1)?.push(line)
    size += line.length
  }
  return all
}
