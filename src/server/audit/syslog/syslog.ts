/** The audit device `syslog`: RFC 5424 messages to the local syslog socket or to a server over UDP (RFC 5426) or TCP (RFC 6587, octets counted). */
import { createSocket } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import type { Clock } from '../../../lib/clock.ts'
import type { AuditDevice, AuditDeviceType } from '../../contracts/devices.ts'
import { Refusal } from '../../contracts/request.ts'

export interface SyslogAuditOptions {
  /** "host:port", or the path of a socket; the local syslog needs no permission. */
  readonly destinations: readonly string[]
  readonly clock: Clock
  readonly hostname: string
  readonly pid: number
}

const facilities: Readonly<Record<string, number>> = {
  KERN: 0,
  USER: 1,
  MAIL: 2,
  DAEMON: 3,
  AUTH: 4,
  SYSLOG: 5,
  LPR: 6,
  NEWS: 7,
  UUCP: 8,
  CRON: 9,
  AUTHPRIV: 10,
  FTP: 11,
  LOCAL0: 16,
  LOCAL1: 17,
  LOCAL2: 18,
  LOCAL3: 19,
  LOCAL4: 20,
  LOCAL5: 21,
  LOCAL6: 22,
  LOCAL7: 23,
}
const informational = 6
const localSocket = '/dev/log'
const maxDatagram = 65_507

/** Options of a device: `facility` (default AUTH), `tag` (default vault), `address` (default /dev/log; "udp://host:514", "tcp://host:601"). */
export function syslogAudit(options: SyslogAuditOptions): AuditDeviceType {
  return {
    type: 'syslog',
    options: ['facility', 'tag', 'address'],
    async open(given) {
      const header = headerOf(given, options)
      const target = readTarget(given['address'] || localSocket, options.destinations)
      if (target.kind === 'udp') return openDatagrams(target, header)
      return openStream(target, header)
    },
  }
}

type Header = () => string
type Target =
  | { readonly kind: 'udp' | 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** `<PRI>1 TIME HOST TAG PID audit - ` */
function headerOf(given: Readonly<Record<string, string>>, { clock, hostname, pid }: SyslogAuditOptions): Header {
  const name = (given['facility'] || 'AUTH').toUpperCase()
  const facility = Object.hasOwn(facilities, name) ? facilities[name] : undefined
  if (facility === undefined) {
    throw new Refusal(400, `facility must be one of ${Object.keys(facilities).join(', ')}, not ${JSON.stringify(name)}`)
  }
  const tag = given['tag'] || 'vault'
  if (!/^[!-~]{1,48}$/.test(tag)) throw new Refusal(400, 'tag must have 1 to 48 visible ASCII characters')
  const [before, after] = [
    `<${facility * 8 + informational}>1 `,
    ` ${hostname.replace(/[^!-~]/g, '-') || '-'} ${tag} ${pid} audit - `,
  ]
  return () => before + new Date(clock.now()).toISOString() + after
}

function readTarget(address: string, destinations: readonly string[]): Target {
  const match = /^(?:(udp|tcp):\/\/)?(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+)):(\d{1,5})$/i.exec(address)
  const plain = address.replace(/^(udp|tcp):\/\//i, '').toLowerCase()
  if (address !== localSocket && !destinations.some((known) => known.toLowerCase() === plain)) {
    throw new Refusal(400, 'address is not a destination that the server allows for audit devices (audit_destinations)')
  }
  if (address.startsWith('/')) return { kind: 'unix', path: address }
  const [kind = 'udp', host = '', port] = [match?.[1]?.toLowerCase(), match?.[2] ?? match?.[3], Number(match?.[4])]
  if (!match || port < 1 || port > 65_535) {
    throw new Refusal(400, 'address must be a path, udp://host:port or tcp://host:port')
  }
  return { kind: kind === 'tcp' ? 'tcp' : 'udp', host, port }
}

/** The line without its newline: framing tells where a message ends. */
const message = (header: Header, line: Uint8Array) => Buffer.concat([Buffer.from(header()), line.subarray(0, -1)])

function openDatagrams({ host, port }: Exclude<Target, { kind: 'unix' }>, header: Header): AuditDevice {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' }).unref()
  socket.on('error', () => {})
  const send = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      socket.send(bytes, port, host, (error) => (error ? reject(error) : resolve()))
    })
  return {
    type: 'syslog',
    async write(lines, signal) {
      signal.throwIfAborted()
      const messages = lines.map((line) => message(header, line))
      if (messages.some(({ length }) => length > maxDatagram)) {
        throw new Error(`a syslog message is longer than a datagram can be (${maxDatagram} bytes)`)
      }
      await Promise.all(messages.map(send))
    },
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

async function openStream(target: Exclude<Target, { kind: 'udp' }>, header: Header): Promise<AuditDevice> {
  const device = new SyslogStream(target, header)
  try {
    await device.connect()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason'
    const hint =
      code === 'EPROTOTYPE'
        ? ': it takes datagrams only, which Node.js has no Unix sockets for; let the syslog daemon listen on UDP or TCP and set address'
        : ''
    throw new Refusal(400, `the syslog socket cannot be connected (${code})${hint}`, { cause })
  }
  return device
}

/** Octet counting over TCP, a newline after each message on a Unix socket (what local daemons read). */
class SyslogStream implements AuditDevice {
  readonly type = 'syslog'
  readonly #target: Target
  readonly #header: Header
  #socket: Socket | undefined

  constructor(target: Target, header: Header) {
    this.#target = target
    this.#header = header
  }

  async write(lines: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const counted = this.#target.kind === 'tcp'
    const bytes = Buffer.concat(
      lines.flatMap((line) => {
        const text = message(this.#header, line)
        return counted ? [Buffer.from(`${text.length} `), text] : [text, newline]
      }),
    )
    const socket = this.#socket ?? (await this.connect(signal))
    await this.#during(socket, signal, (done) => socket.write(bytes, done))
  }

  async connect(signal?: AbortSignal): Promise<Socket> {
    const target = this.#target
    const socket = target.kind === 'unix' ? connect({ path: target.path }) : connect({ ...target, keepAlive: true })
    await this.#during(socket, signal, (done) => socket.once('connect', () => done()))
    this.#socket = socket
    const gone = () => {
      if (this.#socket === socket) this.#socket = undefined
      socket.destroy()
    }
    socket.on('error', gone).on('end', gone).on('close', gone).resume()
    return socket
  }

  #during(socket: Socket, signal: AbortSignal | undefined, start: (done: (error?: Error | null) => void) => void) {
    return new Promise<void>((resolve, reject) => {
      const finish = (error?: Error | null) => {
        socket.off('error', finish).off('close', onClose)
        signal?.removeEventListener('abort', onAbort)
        if (!error) return resolve()
        if (this.#socket === socket) this.#socket = undefined
        socket.on('error', () => {}).destroy()
        reject(error)
      }
      const onClose = () => finish(new Error('the syslog socket was closed'))
      const onAbort = () => finish(new Error('the syslog socket took too long'))
      signal?.addEventListener('abort', onAbort, { once: true })
      socket.on('error', finish).on('close', onClose)
      start(finish)
    })
  }

  async reopen(): Promise<void> {
    await this.close()
  }

  async close(): Promise<void> {
    this.#socket?.end()
    this.#socket = undefined
  }
}

const newline = Buffer.from('\n')
