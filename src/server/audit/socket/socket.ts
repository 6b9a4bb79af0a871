/** The audit device `socket`: lines to a TCP, UDP or Unix socket. A stream gets them one after the other, UDP one in each datagram. */
import { createSocket } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import type { Clock } from '../../../lib/clock.ts'
import { parseVaultDuration } from '../../../lib/duration.ts'
import type { AuditDevice, AuditDeviceType } from '../../contracts/devices.ts'
import { Refusal } from '../../contracts/request.ts'

export interface SocketAuditOptions {
  /** "host:port" or the path of a Unix socket: whoever may call sys/audit must not make the server talk to anything else. */
  readonly destinations: readonly string[]
  readonly clock: Clock
}

type SocketType = 'tcp' | 'udp' | 'unix'

/** Options of a device: `address`, `socket_type` (tcp, udp, unix; default tcp) and `write_timeout` (default 2s). */
export function socketAudit({ destinations, clock }: SocketAuditOptions): AuditDeviceType {
  return {
    type: 'socket',
    options: ['address', 'socket_type', 'write_timeout'],
    async open(given) {
      const address = given['address'] ?? ''
      if (address === '') throw new Refusal(400, 'address is required')
      const type = readType(given['socket_type'] || 'tcp')
      const timeoutMs = readTimeout(given['write_timeout'] || '2s')
      if (!destinations.some((known) => known.toLowerCase() === address.toLowerCase())) {
        throw new Refusal(
          400,
          `address is not a destination that the server allows for audit devices (audit_destinations)`,
        )
      }
      if (type === 'udp') return openDatagrams(address)
      const device = new StreamSocketDevice({ connect: dialer(type, address), timeoutMs, clock })
      try {
        await device.connect()
      } catch (cause) {
        await device.close()
        throw new Refusal(400, `the audit socket cannot be connected (${codeOf(cause)})`, { cause })
      }
      return device
    },
  }
}

function readType(text: string): SocketType {
  if (text === 'tcp' || text === 'udp' || text === 'unix') return text
  throw new Refusal(400, `socket_type must be tcp, udp or unix, not ${JSON.stringify(text)}`)
}

function readTimeout(text: string): number {
  const ms = parseVaultDuration(text)
  if (ms === undefined || ms <= 0) throw new Refusal(400, 'write_timeout must be a duration such as 2s')
  return ms
}

function hostAndPort(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address)
  const [host, port] = [match?.[1] ?? match?.[2], Number(match?.[3])]
  if (host === undefined || port < 1 || port > 65_535) throw new Refusal(400, 'address must have the form host:port')
  return { host, port }
}

function dialer(type: 'tcp' | 'unix', address: string): () => Socket {
  if (type === 'tcp') {
    const { host, port } = hostAndPort(address)
    return () => connect({ host, port, keepAlive: true })
  }
  if (!address.startsWith('/')) throw new Refusal(400, 'address must be the absolute path of a Unix socket')
  return () => connect({ path: address })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no answer in time'
}

export interface StreamSocketOptions {
  readonly connect: () => Socket
  readonly timeoutMs: number
  readonly clock: Clock
}

const firstPauseMs = 100
const longestPauseMs = 30_000

/**
 * Connects anew when the connection was lost, at growing intervals. What the kernel took is counted as written: bytes that it
 * still held when the other side went away are lost, which only their chain shows.
 */
export class StreamSocketDevice implements AuditDevice {
  readonly type = 'socket'
  readonly #options: StreamSocketOptions
  #socket: Socket | undefined
  #pauseMs = 0
  /** Monotonic: not dialled again before. */
  #notBefore = 0

  constructor(options: StreamSocketOptions) {
    this.#options = options
  }

  async write(lines: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const socket = this.#socket ?? (await this.connect(signal))
    const bytes = lines.length === 1 && lines[0] ? lines[0] : Buffer.concat(lines)
    await this.#within('a write', signal, socket, (done) => socket.write(bytes, done))
  }

  /** Rejects without dialling while the last failure is too near. */
  async connect(signal?: AbortSignal): Promise<Socket> {
    const { clock } = this.#options
    if (clock.monotonic() < this.#notBefore)
      throw new Error('the audit socket could not be connected and is tried again later')
    const socket = this.#options.connect()
    try {
      await this.#within('the connection', signal, socket, (done) => socket.once('connect', () => done()))
    } catch (error) {
      this.#pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, this.#pauseMs * 2))
      this.#notBefore = clock.monotonic() + this.#pauseMs
      throw error
    }
    this.#pauseMs = 0
    this.#socket = socket
    const gone = () => {
      if (this.#socket === socket) this.#socket = undefined
      socket.destroy()
    }
    socket.on('error', gone).on('end', gone).on('close', gone)
    // Whatever the other side says is of no interest, but must not fill the memory.
    socket.resume()
    return socket
  }

  /** After an error nobody knows how much was sent: the connection goes. */
  #within(
    what: string,
    signal: AbortSignal | undefined,
    socket: Socket,
    start: (done: (error?: Error | null) => void) => void,
  ): Promise<void> {
    const { clock, timeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const finish = (error?: Error | null) => {
        cancel()
        socket.off('error', finish).off('close', onClose)
        signal?.removeEventListener('abort', onAbort)
        if (!error) return resolve()
        if (this.#socket === socket) this.#socket = undefined
        socket.on('error', () => {}).destroy()
        reject(error)
      }
      const onClose = () => finish(new Error('the audit socket was closed'))
      const onAbort = () => finish(new Error(`${what} of the audit socket took too long`))
      const cancel = clock.after(timeoutMs, onAbort)
      signal?.addEventListener('abort', onAbort, { once: true })
      socket.on('error', finish).on('close', onClose)
      start(finish)
    })
  }

  async reopen(): Promise<void> {
    this.#drop()
  }

  async close(): Promise<void> {
    this.#drop()
  }

  /** What was written still goes out. */
  #drop(): void {
    this.#socket?.end()
    this.#socket = undefined
  }
}

/** What one datagram can hold. */
const maxDatagram = 65_507

function openDatagrams(address: string): AuditDevice {
  const { host, port } = hostAndPort(address)
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' }).unref()
  // Errors of single datagrams come with their callbacks; a late ICMP message concerns none.
  socket.on('error', () => {})
  const send = (line: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      socket.send(line, port, host, (error) => (error ? reject(error) : resolve()))
    })
  return {
    type: 'socket',
    async write(lines, signal) {
      signal.throwIfAborted()
      if (lines.some((line) => line.length > maxDatagram)) {
        throw new Error(`an audit line is longer than a datagram can be (${maxDatagram} bytes)`)
      }
      await Promise.all(lines.map(send))
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}
