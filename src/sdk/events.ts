import type { Clock } from '../lib/clock.ts'
import { parseJson } from '../lib/json/parse.ts'
import { type RandomBytes, systemRandom } from '../lib/random.ts'
import { isObject, text } from './envelope.ts'

/** Something changed; never a value. */
export interface ServerNotice {
  /** "kv-v2/data-write" */
  readonly type: string
  /** "secret/data/my-app/config" */
  readonly path: string
  /** "secret/" */
  readonly mountPath: string
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * 'reset': connected, notices before this moment may be missing: read everything again. 'lost': the link went down and
 * is being tried again; told once more when the first try fails, as a server that is ending may have answered whoever asked
 * it at the cut. 'unsupported': this server has no events: poll.
 */
export type ServerEvent = ServerNotice | 'reset' | 'lost' | 'unsupported'

/** One WebSocket as its messages; ends or throws when it closes. Throws SocketRefused when the server answered without upgrading. */
export type ConnectSocket = (
  path: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<AsyncIterable<string>>

export class SocketRefused extends Error {
  override name = 'SocketRefused'
  readonly status: number

  constructor(status: number) {
    super(`the server answered ${status} instead of opening a WebSocket`)
    this.status = status
  }
}

export interface Subscription {
  /** From createSocketConnector (web-socket.ts). */
  readonly connect: ConnectSocket
  readonly token: string | (() => string | undefined)
  /** "kv-v2/*" */
  readonly type: string
  readonly namespace?: string
  readonly signal: AbortSignal
}

export interface SubscribeOptions extends Subscription {
  readonly clock: Clock
  readonly random?: RandomBytes
  /** Longest pause between tries; default 10 s. After 'unsupported', and once refused by policy, it is 5 min. */
  readonly maxPauseMs?: number
}

const refusedPauseMs = 300_000
const firstPauseMs = 250

/** Change notices for ever: connects again after each cut, with growing, jittered pauses. Returns when the signal aborts. */
export async function* subscribe(options: SubscribeOptions): AsyncGenerator<ServerEvent, void, undefined> {
  const { clock, signal } = options
  let cut = false
  for (let failures = 1; !signal.aborted; failures++) {
    const attempt = await tryConnect(options)
    if (attempt.messages) {
      failures = 1
      cut = true
      yield 'reset'
      yield* noticesOf(attempt.messages)
    }
    if (signal.aborted) return
    if (attempt.unsupported) yield 'unsupported'
    else if (failures === 1 || (failures === 2 && cut)) yield 'lost'
    const pauseMs = attempt.unsupported ? refusedPauseMs : pauseAfter(failures, attempt, options)
    await clock.sleep(pauseMs, signal).catch(() => undefined)
  }
}

interface Attempt {
  readonly messages?: AsyncIterable<string>
  readonly unsupported?: boolean
  /** The token may not subscribe, or not yet: most policies grant only the secrets. */
  readonly denied?: boolean
}

/** One subscription as the server's messages (CloudEvents, JSON); ends when the connection does. Throws as ConnectSocket. */
export const openSubscription = (options: Subscription): Promise<AsyncIterable<string>> =>
  options.connect(pathOf(options), headersOf(options), options.signal)

async function tryConnect(options: SubscribeOptions): Promise<Attempt> {
  try {
    return { messages: await openSubscription(options) }
  } catch (error) {
    const status = error instanceof SocketRefused ? error.status : 0
    return { unsupported: status === 404 || status === 400, denied: status === 403 }
  }
}

/** A cut ends the notices; why does not matter to the reader, who gets 'lost'. */
async function* noticesOf(messages: AsyncIterable<string>): AsyncGenerator<ServerNotice, void, undefined> {
  const reader = messages[Symbol.asyncIterator]()
  try {
    for (;;) {
      const next = await reader.next().catch(() => undefined)
      if (!next || next.done) return
      const notice = readNotice(next.value)
      if (notice) yield notice
    }
  } finally {
    await reader.return?.()
  }
}

function pauseAfter(failures: number, attempt: Attempt, options: SubscribeOptions): number {
  const capMs = attempt.denied ? refusedPauseMs : (options.maxPauseMs ?? 10_000)
  const chance = ((options.random ?? systemRandom)(1)[0] ?? 0) / 256
  return Math.min(capMs, firstPauseMs * 2 ** Math.min(failures - 1, 16)) * (0.5 + chance / 2)
}

const pathOf = (options: Subscription) =>
  `/v1/sys/events/subscribe/${options.type.split('/').map(encodeURIComponent).join('/')}?json=true`

function headersOf(options: Subscription): Record<string, string> {
  const token = typeof options.token === 'function' ? options.token() : options.token
  return {
    'X-Vault-Request': 'true',
    ...(token && { 'X-Vault-Token': token }),
    ...(options.namespace && { 'X-Vault-Namespace': options.namespace }),
  }
}

/** The CloudEvents document of sys/events/subscribe with json=true; anything else is skipped. */
export function readNotice(message: string): ServerNotice | undefined {
  const document = tryParse(message)
  const data = isObject(document) ? document['data'] : undefined
  if (!isObject(data)) return undefined
  const event = isObject(data['event']) ? data['event'] : {}
  const metadata = isObject(event['metadata']) ? event['metadata'] : {}
  const plugin = isObject(data['plugin_info']) ? data['plugin_info'] : {}
  return {
    type: text(data['event_type']),
    path: text(metadata['data_path']) || text(metadata['path']),
    mountPath: text(plugin['mount_path']),
    metadata: Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, String(value)])),
  }
}

function tryParse(message: string) {
  try {
    return parseJson(message)
  } catch {
    return undefined
  }
}
