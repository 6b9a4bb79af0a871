import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import { Pace, type Turns } from '../../../../lib/turns.ts'
import type { AuditDevice } from '../../../contracts/devices.ts'
import { chainBody, droppedBody, headsMember, type NamedHead } from './chain-line.ts'
import { type ChainHead, type ChainLog, touchMs } from './chain-log.ts'
import { type Chain, type ChainWriter, type LongBody, linkBytes } from './chain-writer.ts'
import { DeviceTally } from './device-tally.ts'
import { bodiesOf, countLines, type Entry, LineQueue } from './line-queue.ts'
import { bytesOf, completed, hashInTurns, isShort, joinInTurns, textOf } from './long-lines.ts'
import { NextTime } from './next-time.ts'

export interface ChainedDeviceOptions {
  readonly path: string
  readonly device: AuditDevice
  readonly chains: ChainLog
  readonly writer: ChainWriter
  readonly clock: Clock
  readonly log: Logger
  /** Long lines are hashed in slices. */
  readonly turns: Turns
  readonly prefix: string
  /** How long a group may take. */
  readonly deadlineMs: number
  /** How often the head goes to storage while lines are written. */
  readonly headMs: number
  /** How often a signed checkpoint is written while lines are written. */
  readonly checkpointMs: number
  /** Survives the device: what was dropped before it could be opened. */
  readonly tally?: DeviceTally
}

/** What waits in memory for a device that is slow: in JavaScript characters, so at most twice as many bytes. */
const maxQueuedChars = 32 * 1024 * 1024
/** The same for long lines. One is always taken, however long. */
const maxLongBytes = 128 * 1024 * 1024
/**
 * So many lines are written without waiting for more. Less would part the requests of one turn that write, and so make two
 * commits of one.
 */
const enoughLines = 32
/** What a long line's time is longer for. */
const bytesPerMs = 16 * 1024
/** After this many failures in a row the device is left alone for a while. */
const patience = 3
/** When a chain's first checkpoint is tried: until it is written its lines say nothing of the chains of other processes. */
const firstCheckpointMs = 5000
const betweenChainsMs = 1000
const firstPauseMs = 100
const longestPauseMs = 5000

/**
 * One device with its queue and its chain of lines. What is queued while a write runs goes out as one write after it. After a
 * write that failed nobody knows what the file holds, so the chain ends there and a new one begins.
 */
export class ChainedDevice {
  readonly path: string
  readonly tally: DeviceTally
  readonly #options: ChainedDeviceOptions
  readonly #queue = new LineQueue()
  #chain: Chain | undefined
  /** The chain before this one, when that ended with a write that failed. */
  #left: NamedHead | undefined
  #recorded = { seq: 0, at: 0 }
  #cancelHead: (() => void) | undefined
  readonly #nextCheckpoint: NextTime
  #running: Promise<void> | undefined
  /** Ends the wait for the rest of a group. */
  #enough: (() => void) | undefined
  /** A write is past its deadline and has not come back: nothing is queued behind it. */
  #stuck = false
  #closed = false
  /** The chain's last line is being written: what comes now would stand behind it. */
  #closing = false
  #failures = 0
  /** Monotonic: not tried again before. */
  #pausedUntil = 0
  /** Of all writes until one is cut off. */
  #abort = new AbortController()

  constructor(options: ChainedDeviceOptions) {
    this.#options = options
    this.path = options.path
    this.tally = options.tally ?? new DeviceTally()
    this.#nextCheckpoint = new NextTime(options.clock, () => void this.#checkpointInTime())
    this.#nextCheckpoint.within(options.checkpointMs)
  }

  get blocked(): boolean {
    return this.#stuck
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Resolves when the device has the lines; rejects when it refused them or was too slow. `bodies` as in audit-line.ts. */
  write(bodies: readonly string[]): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      this.tally.drop(bodies.length, this.#options.clock.now())
      return Promise.reject(new Error(refusal))
    }
    return this.#enqueue(bodies)
  }

  /** As `write`, for lines in pieces of bytes: what can be hashed before their place in the chain is known is hashed in slices. */
  async writeLong(bodies: readonly (readonly Uint8Array[])[]): Promise<void> {
    const { writer, device, turns, clock } = this.#options
    // Of a long string there remains its HMAC: such a line shares its write with others.
    if (bodies.every((pieces) => isShort(pieces))) return this.write(bodies.map(textOf))
    const pace = new Pace(turns)
    const long: LongBody[] = []
    for (const pieces of bodies) {
      if (this.#refusalOfLong() !== undefined) break
      const parts = writer.begins()
      await hashInTurns(parts, writer.vouched(pieces), pace)
      long.push({ pieces: device.takesPieces ? pieces : [await joinInTurns(pieces, linkBytes, pace)], parts })
    }
    const refusal = this.#refusalOfLong()
    if (refusal === undefined) return this.#enqueue([], undefined, long)
    this.tally.drop(bodies.length, clock.now())
    throw new Error(refusal)
  }

  #refusal(): string | undefined {
    if (this.#closed || this.#closing) return 'the audit device is closed'
    if (this.#stuck) return 'the audit device is blocked'
    if (this.#queue.chars >= maxQueuedChars) return 'too many audit lines are waiting'
    if (this.#failures >= patience && this.#options.clock.monotonic() < this.#pausedUntil) {
      return 'the audit device has failed and is tried again soon'
    }
    return undefined
  }

  #refusalOfLong(): string | undefined {
    const waiting = this.#queue.longBytes + (this.#chain?.digest.waitingBytes ?? 0)
    return this.#refusal() ?? (waiting >= maxLongBytes ? 'too many long audit lines are waiting' : undefined)
  }

  #enqueue(bodies: readonly string[], checkpoint?: Entry['checkpoint'], long?: readonly LongBody[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ bodies, resolve, reject, ...(checkpoint ? { checkpoint } : {}), ...(long ? { long } : {}) })
      this.#running ??= this.#run()
      if (this.#queue.lines >= enoughLines) this.#enough?.()
    })
  }

  async #run(): Promise<void> {
    // What comes in with the same turn's input goes out in one group, unless there is much of it: then the disk has work while the rest comes in.
    await new Promise<void>((resolve) => {
      this.#enough = resolve
      setImmediate(resolve)
    })
    this.#enough = undefined
    while (this.#queue.length > 0) {
      const group = this.#queue.take()
      // Before the device's time runs.
      const digesting = group.some(({ checkpoint }) => checkpoint) ? this.#chain?.digest.settled() : undefined
      if (digesting) await digesting
      await this.#writeGroup(group)
    }
    this.#running = undefined
  }

  async #writeGroup(group: readonly Entry[]): Promise<void> {
    const abort = this.#abort
    let settled = false
    const settle = (error?: Error) => {
      if (settled) return
      settled = true
      for (const entry of group) {
        if (error) entry.reject(error)
        else entry.resolve()
      }
    }
    const [{ long } = {}] = group
    const deadlineMs = this.#options.deadlineMs + (long ? Math.ceil(bytesOf(long) / bytesPerMs) : 0)
    const late = () => {
      const error = new Error(`the audit device took longer than ${deadlineMs} ms`)
      abort.abort(error)
      this.#abort = new AbortController()
      settle(error)
      this.#stuck = true
      this.#fail(error)
    }
    const cancel = this.#options.clock.after(deadlineMs, late)
    try {
      await (long ? this.#sendLong(long, abort.signal) : this.#send(group, abort.signal))
      this.#failures = 0
      settle()
    } catch (error) {
      this.#failed(group)
      const reason = error instanceof Error ? error : new Error(String(error))
      if (!settled) this.#options.log.error('audit.write_failed', { device: this.path, error: reason.message })
      this.tally.lastError = reason.message
      settle(reason)
    } finally {
      cancel()
      this.#stuck = false
    }
  }

  #failed(group: readonly Entry[]): void {
    const { clock } = this.#options
    this.#failures += 1
    const pause = firstPauseMs * 2 ** Math.min(Math.max(0, this.#failures - patience), 10)
    this.#pausedUntil = clock.monotonic() + Math.min(longestPauseMs, pause)
    this.tally.failures += 1
    this.tally.drop(countLines(group), clock.now())
    this.#abandonChain()
  }

  /** The lines that the device took stay vouched for. */
  #abandonChain(): void {
    const chain = this.#chain
    if (!chain) return
    const { clock, chains } = this.#options
    const { id, seq, mac } = chain
    this.#chain = undefined
    this.#left = { chain: id, seq, mac, device: this.path, at: clock.now(), closed: true }
    chain.digest.forget()
    this.#quietly(chains.advance(id, { seq, mac }, true))
  }

  #quietly(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.#options.log.warn('audit.head_not_recorded', { device: this.path, error: String(error) })
    })
  }

  /** Rejects what waits behind a blocked write. */
  #fail(error: Error): void {
    this.#options.log.error('audit.device_blocked', { device: this.path, waiting: this.#queue.length })
    const waiting = this.#queue.takeAll()
    this.tally.lastError = error.message
    this.tally.drop(countLines(waiting), this.#options.clock.now())
    for (const entry of waiting) entry.reject(error)
  }

  async #send(group: readonly Entry[], signal: AbortSignal): Promise<void> {
    const { device, chains, clock, prefix } = this.#options
    const dropped = this.tally.unreported
    const before = dropped ? [droppedBody(clock.now(), dropped, prefix)] : []
    const chain = this.#chain ?? (await this.#open(before))
    const { lines, seq, mac } = this.#options.writer.link(chain, bodiesOf(before, group))
    try {
      await device.write(lines, signal)
    } catch (error) {
      this.#options.writer.forget()
      if (chain.seq === 0) this.#quietly(chains.discard(chain.id))
      throw error
    }
    chain.seq = seq
    chain.mac = mac
    if (this.#chain !== chain) this.#nextCheckpoint.within(firstCheckpointMs)
    this.#chain = chain
    this.tally.took(lines.length, dropped)
    this.#scheduleHead()
  }

  /** The chain's digest moves on while the device writes, and after. */
  async #sendLong(long: readonly LongBody[], signal: AbortSignal): Promise<void> {
    const { device, writer } = this.#options
    if (!this.#chain || this.tally.unreported) await this.#send([], signal)
    const chain = this.#chain
    if (!chain) throw new Error('a chain that was not opened')
    const lines: Uint8Array[] = []
    let place: Pick<Chain, 'id' | 'seq' | 'mac'> = chain
    for (const body of long) {
      const { line, ...next } = writer.linkLong(place, body)
      lines.push(...(device.takesPieces ? line : [completed(line)]))
      chain.digest.addInTurns(writer.vouched(line))
      place = { id: chain.id, ...next }
    }
    await device.write(lines, signal)
    chain.seq = place.seq
    chain.mac = place.mac
    this.tally.took(long.length, undefined)
    this.#scheduleHead()
  }

  /** Puts a first line before the group. It tells of this device's chain before; reading those of others would hold up a request. */
  async #open(before: string[]): Promise<Chain> {
    const { chains, clock, writer, turns, prefix } = this.#options
    const heads = headsMember(this.#left ? [this.#left] : [])
    const id = await chains.open()
    before.unshift(chainBody(clock.now(), 'opened', { device: this.path, heads }, prefix))
    this.#recorded = { seq: 0, at: clock.now() }
    return writer.begin(id, turns)
  }

  #scheduleHead(): void {
    if (this.#closed) return
    this.#cancelHead ??= this.#options.clock.after(this.#options.headMs, () => {
      this.#cancelHead = undefined
      this.#recordHead(false).catch((error: unknown) => {
        this.#options.log.warn('audit.head_not_recorded', { device: this.path, error: String(error) })
        this.#scheduleHead()
      })
    })
  }

  async #recordHead(closed: boolean): Promise<void> {
    const { chains, clock } = this.#options
    const chain = this.#chain
    const now = clock.now()
    if (!chain) return
    if (!closed && chain.seq === this.#recorded.seq && now - this.#recorded.at < touchMs) return
    const { seq, mac } = chain
    await chains.advance(chain.id, { seq, mac }, closed)
    this.#recorded = { seq, at: now }
  }

  async #checkpointInTime(): Promise<void> {
    const { log, checkpointMs } = this.#options
    try {
      await this.checkpoint()
    } catch (error) {
      log.warn('audit.checkpoint_failed', { device: this.path, error: String(error) })
    }
    // In between two chains nothing can be signed: the next one must not end before its turn comes as well.
    if (!this.#chain && this.#left) this.#nextCheckpoint.within(betweenChainsMs)
    else this.#nextCheckpoint.within(this.#chain?.covered === 0 ? firstCheckpointMs : checkpointMs)
  }

  /** A signed line that lists the heads of all chains, if there is anything new; then what it makes superfluous is forgotten. */
  async checkpoint(): Promise<void> {
    const chain = this.#chain
    if (!chain || this.#refusal() !== undefined) return
    if (chain.seq <= chain.covered + 1 && chain.covered > 0) return this.#recordHead(false)
    const heads = await this.#write('checkpoint')
    await this.#options.chains.trim(heads)
  }

  async #write(event: 'checkpoint' | 'closed'): Promise<readonly ChainHead[]> {
    const { chains, clock, prefix } = this.#options
    // In the queue, lines of requests would wait with it.
    const digesting = this.#chain?.digest.settled()
    if (digesting) await digesting
    const heads = await chains.heads()
    // Closed meanwhile, it would stand behind the chain's last line.
    if (event === 'checkpoint' && this.#refusal() !== undefined) return []
    const body = chainBody(clock.now(), event, { device: this.path, heads: headsMember(heads) }, prefix)
    await this.#enqueue([body], event)
    return heads
  }

  /** Waits for what is queued, but not for a device that is blocked. */
  async #idle(): Promise<void> {
    if (!this.#running || this.#stuck) return
    const enough = new AbortController()
    const deadline = this.#options.clock.sleep(this.#options.deadlineMs, enough.signal).catch(() => {})
    await Promise.race([this.#running, deadline])
    enough.abort()
  }

  async reopen(): Promise<void> {
    await this.#within('reopen', this.#options.device.reopen?.())
  }

  /** Not for longer than a write may take: a disk that is gone must hold up neither a seal nor other devices. */
  async #within(what: string, work: Promise<void> | undefined): Promise<void> {
    const { clock, deadlineMs, path } = this.#options
    if (!work) return
    const enough = new AbortController()
    const late = clock.sleep(deadlineMs, enough.signal).then(() => {
      throw new Error(`the audit device ${path} did not ${what} within ${deadlineMs} ms`)
    })
    try {
      await Promise.race([work, late])
    } finally {
      enough.abort()
      late.catch(() => {})
      work.catch(() => {})
    }
  }

  /** Writes what is queued and a last line, records the end of the chain, closes the device. */
  async close(): Promise<void> {
    if (this.#closed) return
    const { device, log, path } = this.#options
    this.#nextCheckpoint.end()
    await this.#idle()
    const writes = this.#refusal() === undefined
    this.#closing = true
    try {
      if (this.#chain && writes) await this.#write('closed')
      this.#closed = true
      await this.#recordHead(true)
    } catch (error) {
      log.warn('audit.chain_not_closed', { device: path, error: String(error) })
    }
    this.#closed = true
    this.#cancelHead?.()
    await this.#within('close', device.close()).catch((error: unknown) => {
      log.warn('audit.device_not_closed', { device: path, error: String(error) })
    })
  }
}
