/** Writes what happens to every audit device, hashed, chained and grouped; refuses the request when none takes it. */
import type { Clock } from '../../../lib/clock.ts'
import { HmacSha256 } from '../../../lib/hmac-sha256/hmac-sha256.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { createTurns, type Turns } from '../../../lib/turns.ts'
import type { AuditedRequest, AuditedResponse, Auditor } from '../../contracts/audit.ts'
import type { AuditDevice, AuditDeviceType } from '../../contracts/devices.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Rows } from '../../contracts/secret-storage.ts'
import { type AuditMetrics, type Lines, observe, observeAll } from './audit-metrics.ts'
import { chainKey, type DeviceRow, type Evidence, readEvidence } from './audit-rows.ts'
import { createChainLog } from './chain/chain-log.ts'
import { ChainWriter } from './chain/chain-writer.ts'
import { ChainedDevice } from './chain/chained-device.ts'
import { type CheckpointKey, checkpointKey } from './chain/checkpoint-key.ts'
import { DeviceTally } from './chain/device-tally.ts'
import { type DeclaredDevice, declaredDevices } from './declared-devices.ts'
import { type DeviceOptions, readDeviceOptions } from './device-options.ts'
import { DeviceTable, devicePath, type EnableOptions } from './device-table.ts'
import { exchangeLines, type LineOptions, lineOptions, requestLine, responseLine } from './line/audit-line.ts'
import { LineHasher } from './line/line-hasher.ts'
import { isLongAnswer, isLongRequest, longExchangeLines, longRequestLine, longResponseLine } from './line/long-line.ts'
import { type DeviceInfo, type DeviceStats, type Live, sameRow, statsOf, wants } from './live-device.ts'
import { openDevice } from './open-device.ts'

export interface AuditBrokerOptions {
  readonly rows: Rows
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly devices: Readonly<Record<string, AuditDeviceType>>
  /** Names this process in the records of its chains. */
  readonly node: string
  readonly deadlineMs?: number
  readonly headMs?: number
  readonly checkpointMs?: number
  readonly metrics?: AuditMetrics
  /** Long lines are made in slices; absent: in a queue of their own. */
  readonly turns?: Turns
}

/** Lines for a device with these options. */
type TextOf = (options: LineOptions) => string[]
/** The same in pieces, for what is long. */
type PiecesOf = (options: LineOptions) => Promise<(readonly Uint8Array[])[]>

interface Entry {
  readonly lines: Lines
  /** One of the two. */
  readonly text?: TextOf
  readonly pieces?: PiecesOf
  /** Monotonic. */
  readonly begun: number
}

/** How often a device that could not be opened is tried again, at most. */
const retryMs = 1000
/** What a write, an opening and a closing may take. */
const defaultDeadlineMs = 2000

export class AuditBroker implements Auditor {
  readonly #options: AuditBrokerOptions
  readonly #table: DeviceTable
  readonly #turns: Turns
  #live: readonly Live[] = []
  /** No device has a filter or is a fallback. */
  #plain = true
  #keys: { readonly hmac: HmacSha256; readonly signer: CheckpointKey } | undefined
  /** Refreshes run one after another. */
  #refreshing: Promise<void> = Promise.resolve()
  #triedAt = Number.NEGATIVE_INFINITY
  /** There were devices when they were closed: nothing may pass unrecorded until they are open again. */
  #closed = false

  constructor(options: AuditBrokerOptions) {
    this.#options = options
    this.#turns = options.turns ?? createTurns()
    this.#table = new DeviceTable(options.rows, options.random)
  }

  request(request: AuditedRequest): Promise<void> {
    if (isLongRequest(request)) {
      return this.#writeLong('request', request, async (line) => [await longRequestLine(request, line, this.#turns)])
    }
    return this.#write('request', request, (line) => [requestLine(request, line)])
  }

  response(request: AuditedRequest, response: AuditedResponse): Promise<void> {
    if (isLongAnswer(request, response)) {
      const made = async (line: LineOptions) => [await longResponseLine(request, response, line, this.#turns)]
      return this.#writeLong('response', request, made)
    }
    return this.#write('response', request, (line) => [responseLine(request, response, line)])
  }

  exchange(request: AuditedRequest, response: AuditedResponse): Promise<void> {
    if (isLongAnswer(request, response)) {
      const made = (line: LineOptions) => longExchangeLines(request, response, line, this.#turns)
      return this.#writeLong('exchange', request, made)
    }
    return this.#write('exchange', request, (line) => exchangeLines(request, response, line))
  }

  async #write(lines: Lines, request: AuditedRequest, text: TextOf): Promise<void> {
    const { clock, metrics } = this.#options
    const begun = clock.monotonic()
    let accepted = false
    try {
      const [only] = this.#live
      // One device that takes everything, which is what most have: each promise less is one less for every request.
      if (this.#plain && this.#live.length === 1 && only?.out && !this.#closed) {
        await only.out.write(text(only.line))
        if (only.timers) observe(only.timers, lines, begun, clock.monotonic())
      } else await this.#accept(request, { lines, text, begun })
      accepted = true
    } catch (cause) {
      throw notAccepted(lines, cause)
    } finally {
      if (metrics) observeAll(metrics, lines, begun, clock.monotonic(), accepted)
    }
  }

  async #writeLong(lines: Lines, request: AuditedRequest, pieces: PiecesOf): Promise<void> {
    const { clock, metrics } = this.#options
    const begun = clock.monotonic()
    let accepted = false
    try {
      await this.#accept(request, { lines, pieces, begun })
      accepted = true
    } catch (cause) {
      throw notAccepted(lines, cause)
    } finally {
      if (metrics) observeAll(metrics, lines, begun, clock.monotonic(), accepted)
    }
  }

  /** The first device that takes the lines is enough; the others get them too. What none wants, by filter, passes. */
  async #accept(request: AuditedRequest, entry: Entry): Promise<void> {
    if (this.#closed) throw new Error('the audit devices are closed')
    const takers = this.#plain ? this.#live : this.#live.filter((live) => !live.fallback && wants(live, request))
    try {
      if (takers.length === 1 && takers[0]) await this.#to(takers[0], entry)
      else if (takers.length > 1) await Promise.any(takers.map((live) => this.#to(live, entry)))
      else if (!this.#plain) await this.#toFallback(entry)
    } catch (error) {
      if (this.#plain || takers.length === 0 || !(await this.#fallbackTakes(entry))) throw error
    }
  }

  async #to({ line, out, tally, timers }: Live, { lines, text, pieces, begun }: Entry): Promise<void> {
    if (!out) return this.#notOpen(tally, lines === 'exchange' ? 2 : 1)
    if (pieces) await out.writeLong(await pieces(line))
    else if (text) await out.write(text(line))
    if (timers) observe(timers, lines, begun, this.#options.clock.monotonic())
  }

  async #toFallback(entry: Entry): Promise<void> {
    const fallback = this.#live.find((live) => live.fallback)
    if (fallback) await this.#to(fallback, entry)
  }

  async #fallbackTakes(entry: Entry): Promise<boolean> {
    const fallback = this.#live.find((live) => live.fallback)
    return (
      fallback !== undefined &&
      this.#to(fallback, entry).then(
        () => true,
        () => false,
      )
    )
  }

  #notOpen(tally: DeviceTally, lines: number): Promise<void> {
    const { clock, log } = this.#options
    const now = clock.monotonic()
    tally.drop(lines, clock.now())
    if (now - this.#triedAt >= retryMs) {
      this.#triedAt = now
      this.refresh().catch((error: unknown) => log.warn('audit.refresh_failed', { error: String(error) }))
    }
    return Promise.reject(new Error('the audit device is not open'))
  }

  /** Brings the open devices to what storage says. Called whenever the epoch `audit` has moved, and at start. */
  refresh(): Promise<void> {
    const next = this.#refreshing.then(() => this.#refresh())
    this.#refreshing = next.catch(() => {})
    return next
  }

  async #refresh(): Promise<void> {
    const headers = new Map(Object.entries(await this.#table.headers()))
    const next: Live[] = []
    for (const [path, row] of await this.#table.all()) {
      const known = this.#live.find((live) => live.path === path)
      const live = known?.out && sameRow(known.row, row) ? known : await this.#open(path, row, known?.tally)
      live.line = { ...live.line, headers }
      next.push(live)
    }
    const gone = this.#live.filter((live) => !next.includes(live))
    this.#use(next)
    for (const { out } of gone) await out?.close()
  }

  #use(live: readonly Live[], closed = false): void {
    this.#live = live
    this.#closed = closed
    this.#plain = live.every(({ filter, fallback }) => filter === undefined && !fallback)
  }

  /** A device that can't be opened stays enabled and refuses its lines: otherwise a moved folder would switch audit off. */
  async #open(path: string, row: DeviceRow, tally = new DeviceTally()): Promise<Live> {
    const hasher = new LineHasher(Buffer.from(row.salt, 'base64'))
    let options = noOptions
    let out: ChainedDevice | undefined
    try {
      const type = this.#type(row.type)
      options = readDeviceOptions(row.options, row.type, type.options)
      out = await this.#chained(path, await this.#opened(type, row.options), options.prefix, tally)
    } catch (error) {
      const known = Object.hasOwn(this.#options.devices, row.type)
      tally.lastError = error instanceof Error ? error.message : String(error)
      this.#options.log.error('audit.device_not_opened', { device: path, type: row.type, known, error: String(error) })
    }
    const { filter, fallback } = options
    const timers = this.#options.metrics?.auditDevice(path)
    return { path, row, hasher, out, filter, fallback, tally, timers, line: lineOptions(options, hasher) }
  }

  async #chained(path: string, device: AuditDevice, prefix: string, tally: DeviceTally): Promise<ChainedDevice> {
    const {
      rows,
      random,
      node,
      clock,
      log,
      deadlineMs = defaultDeadlineMs,
      headMs = 1000,
      checkpointMs = 60_000,
    } = this.#options
    const chains = createChainLog({ rows, random, clock, device: path, node })
    const { hmac, signer } = await this.#chainKeys()
    const writer = new ChainWriter(hmac, signer, prefix)
    const rest = { prefix, tally, turns: this.#turns, deadlineMs, headMs, checkpointMs }
    return new ChainedDevice({ path, device, chains, writer, clock, log, ...rest })
  }

  #type(type: string): AuditDeviceType {
    const { devices } = this.#options
    const found = Object.hasOwn(devices, type) ? devices[type] : undefined
    if (!found) throw new Refusal(400, `unknown backend type: ${JSON.stringify(type)}`)
    return found
  }

  async #chainKeys() {
    const { rows, random } = this.#options
    this.#keys ??= { hmac: new HmacSha256(await chainKey(rows, random)), signer: await checkpointKey(rows) }
    return this.#keys
  }

  /** Refusal 400: path in use, unknown type, options that the device refuses. The device takes lines when this resolves. */
  async enable(path: string, device: EnableOptions): Promise<void> {
    const id = devicePath(path)
    const { fallback } = await this.#tried(device)
    await this.#table.add(id, device, fallback)
    await this.refresh()
  }

  /** What the options say; the device could be opened. */
  async #tried(device: EnableOptions): Promise<DeviceOptions> {
    const type = this.#type(device.type)
    const given = device.options ?? {}
    const options = readDeviceOptions(given, device.type, type.options)
    if (!options.skipTest) await (await this.#opened(type, given)).close()
    return options
  }

  #opened(type: AuditDeviceType, options: Readonly<Record<string, string>>): Promise<AuditDevice> {
    const { clock, deadlineMs = defaultDeadlineMs } = this.#options
    return openDevice({ clock, deadlineMs, type, options })
  }

  /** A device that is not there is fine. Refusal 400 for one of the configuration. */
  async disable(path: string): Promise<void> {
    await this.#table.remove(devicePath(path))
    await this.refresh()
  }

  /**
   * The devices of the configuration, at start and when it was read `again`: those that were declared before and are not any
   * more go. Refusal 400 when one is wrong: then nothing has changed. Only a running server tries new ones first: at its
   * start one that is away must not keep it sealed.
   */
  async declare(devices: readonly DeclaredDevice[], again = false): Promise<void> {
    const before = await this.#table.all()
    const wanted = declaredDevices(devices, before, (device) => {
      const type = this.#type(device.type)
      return readDeviceOptions(device.options ?? {}, device.type, type.options).fallback
    })
    if (again) for (const { device, same } of wanted) if (!same) await this.#tried(device)
    for (const [path, row] of before) {
      if (row.declared && !wanted.some(({ device }) => device.path === path)) await this.#table.remove(path, true)
    }
    for (const { device, fallback } of wanted) await this.#table.declare(device, fallback)
    await this.refresh()
  }

  async list(): Promise<DeviceInfo[]> {
    return (await this.#table.all()).map(([path, { type, description, options, local }]) => ({
      path,
      type,
      description,
      options,
      local,
    }))
  }

  /** For metrics and sys/coffer/audit. */
  stats(): DeviceStats[] {
    return this.#live.map(statsOf)
  }

  /** What proves audit files: key of the links, recorded heads, and whose signature checkpoints bear. */
  async evidence(): Promise<(Evidence & { readonly publicKey: string }) | undefined> {
    const found = await readEvidence(this.#options.rows)
    return found && { ...found, publicKey: (await this.#chainKeys()).signer.publicKey }
  }

  /** A signed line in each device now, so that what was written so far can be verified without the server. */
  async checkpoint(): Promise<void> {
    await Promise.all(this.#live.map(({ out }) => out?.checkpoint()))
  }

  /** What the device would write for this value (sys/audit-hash). */
  async hash(path: string, input: string): Promise<string> {
    const id = devicePath(path)
    const row = await this.#table.get(id)
    if (!row) throw new Refusal(400, `unknown audit backend ${JSON.stringify(id)}`)
    return new LineHasher(Buffer.from(row.salt, 'base64')).value(input)
  }

  /** The request headers that lines record, lower-cased; true = hashed. */
  headers(): Promise<Readonly<Record<string, boolean>>> {
    return this.#table.headers()
  }

  /** Undefined ends the recording of a header. */
  async setHeader(name: string, hmac: boolean | undefined): Promise<void> {
    await this.#table.setHeader(name, hmac)
    await this.refresh()
  }

  /** SIGHUP: files were moved away. One that can't be reopened holds up no other. */
  async reopen(): Promise<void> {
    const done = await Promise.allSettled(this.#live.map(({ out }) => out?.reopen()))
    const failed = done.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** Ends the chains in good order, before the server seals or stops. `refresh` opens the devices again. */
  async close(): Promise<void> {
    await this.#refreshing
    const live = this.#live
    this.#use([], this.#closed || live.length > 0)
    this.#keys = undefined
    for (const { out } of live) await out?.close()
  }
}

const noOptions = readDeviceOptions({}, '', undefined)

/** Each device has logged its own reason. */
function notAccepted(lines: Lines, cause: unknown): Refusal {
  const what = lines === 'response' ? lines : 'request'
  return new Refusal(500, `failed to audit ${what}, cannot continue: no audit device accepts it`, { cause })
}
