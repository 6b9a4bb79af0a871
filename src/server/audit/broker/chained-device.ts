import type { Clock } from '../../../lib/clock.ts'
import type { HmacSha256 } from '../../../lib/hmac-sha256/hmac-sha256.ts'
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Logger } from '../../../lib/log.ts'
import type { AuditDevice } from '../../contracts/devices.ts'
import { chainLine } from './audit-line.ts'

/** Where the heads of chains are kept. */
export interface ChainLog {
  /** A new chain's id, recorded as open. */
  open(): Promise<string>
  /** Records where a chain stands. */
  advance(chain: string, head: { readonly seq: number; readonly mac: string }, closed: boolean): Promise<void>
  /** The heads of all chains of the server, for lines that bear witness to them. */
  heads(): Promise<JsonObject>
}

export interface ChainedDeviceOptions {
  readonly path: string
  readonly device: AuditDevice
  readonly chains: ChainLog
  readonly hmac: HmacSha256
  readonly clock: Clock
  readonly log: Logger
  readonly prefix: string
  /** How long a group may take. */
  readonly deadlineMs: number
  /** How often the head goes to storage while lines are written. */
  readonly headMs: number
}

interface Entry {
  readonly bodies: readonly string[]
  resolve(): void
  reject(error: Error): void
}
interface Chain {
  readonly id: string
  seq: number
  /** Hex HMAC of the last line that the device took; of the chain's id before the first. */
  mac: string
}

const maxQueued = 50_000

/**
 * One device with its queue and its chain of lines. What is queued while a write runs goes out as one write after it. After a
 * write that failed nobody knows what the file holds, so the chain ends there and a new one begins.
 */
export class ChainedDevice {
  readonly path: string
  readonly #options: ChainedDeviceOptions
  #queue: Entry[] = []
  #chain: Chain | undefined
  #recordedSeq = 0
  #cancelHead: (() => void) | undefined
  #running: Promise<void> | undefined
  /** A write is past its deadline and has not come back: nothing is queued behind it. */
  #stuck = false
  #closed = false
  /** Of all writes until one is cut off. */
  #abort = new AbortController()

  constructor(options: ChainedDeviceOptions) {
    this.#options = options
    this.path = options.path
  }

  /** Resolves when the device has the lines; rejects when it refused them or was too slow. `bodies` as in audit-line.ts. */
  write(bodies: readonly string[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the audit device is closed'))
    if (this.#stuck) return Promise.reject(new Error('the audit device is blocked'))
    if (this.#queue.length >= maxQueued) return Promise.reject(new Error('too many audit lines are waiting'))
    return new Promise((resolve, reject) => {
      this.#queue.push({ bodies, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  async #run(): Promise<void> {
    // What comes in with the same turn's input goes out in one group.
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.#queue.length > 0) {
      const group = this.#queue
      this.#queue = []
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
    const cancel = this.#options.clock.after(this.#options.deadlineMs, () => {
      const error = new Error(`the audit device took longer than ${this.#options.deadlineMs} ms`)
      abort.abort(error)
      this.#abort = new AbortController()
      settle(error)
      this.#stuck = true
      this.#fail(error)
    })
    try {
      await this.#send(group, abort.signal)
      settle()
    } catch (error) {
      this.#abandonChain()
      const reason = error instanceof Error ? error : new Error(String(error))
      if (!settled) this.#options.log.error('audit.write_failed', { device: this.path, error: reason.message })
      settle(reason)
    } finally {
      cancel()
      this.#stuck = false
    }
  }

  /** The lines that the device took stay vouched for. */
  #abandonChain(): void {
    const chain = this.#chain
    this.#chain = undefined
    if (!chain) return
    const { seq, mac } = chain
    this.#options.chains.advance(chain.id, { seq, mac }, false).catch((error: unknown) => {
      this.#options.log.warn('audit.head_not_recorded', { device: this.path, error: String(error) })
    })
  }

  /** Rejects what waits behind a blocked write. */
  #fail(error: Error): void {
    this.#options.log.error('audit.device_blocked', { device: this.path, waiting: this.#queue.length })
    const waiting = this.#queue
    this.#queue = []
    for (const entry of waiting) entry.reject(error)
  }

  async #send(group: readonly Entry[], signal: AbortSignal): Promise<void> {
    const bodies = group.flatMap((entry) => entry.bodies)
    const chain = this.#chain ?? (await this.#open(bodies))
    let { seq, mac } = chain
    const lines = bodies.map((body) => {
      seq += 1
      const line = Buffer.from(`${body},"chain":"${chain.id}","seq":${seq},"prev":"${mac}"}\n`)
      mac = this.#options.hmac.hex(line.subarray(0, -1))
      return line
    })
    await this.#options.device.write(lines, signal)
    chain.seq = seq
    chain.mac = mac
    this.#chain = chain
    this.#scheduleHead()
  }

  /** Puts a first line before the group that tells of all other chains. */
  async #open(bodies: string[]): Promise<Chain> {
    const { chains, clock, hmac, prefix } = this.#options
    const heads = await chains.heads()
    const id = await chains.open()
    bodies.unshift(chainLine(clock.now(), 'opened', heads, prefix))
    this.#recordedSeq = 0
    return { id, seq: 0, mac: hmac.hex(id) }
  }

  #scheduleHead(): void {
    this.#cancelHead ??= this.#options.clock.after(this.#options.headMs, () => {
      this.#cancelHead = undefined
      this.#recordHead(false).catch((error: unknown) => {
        this.#options.log.warn('audit.head_not_recorded', { device: this.path, error: String(error) })
        if (!this.#closed) this.#scheduleHead()
      })
    })
  }

  async #recordHead(closed: boolean): Promise<void> {
    const chain = this.#chain
    if (!chain || (!closed && chain.seq === this.#recordedSeq)) return
    const { seq, mac } = chain
    await this.#options.chains.advance(chain.id, { seq, mac }, closed)
    this.#recordedSeq = seq
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
    await this.#options.device.reopen?.()
  }

  /** Writes what is queued and a last line, records the end of the chain, closes the device. */
  async close(): Promise<void> {
    if (this.#closed) return
    const { chains, clock, device, log, path, prefix } = this.#options
    await this.#idle()
    try {
      if (this.#chain) await this.write([chainLine(clock.now(), 'closed', await chains.heads(), prefix)])
      this.#closed = true
      await this.#recordHead(true)
    } catch (error) {
      log.warn('audit.chain_not_closed', { device: path, error: String(error) })
    }
    this.#closed = true
    this.#cancelHead?.()
    await device.close()
  }
}
