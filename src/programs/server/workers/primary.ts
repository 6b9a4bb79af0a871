/**
 * The first process of a server with workers: listens to nobody outside, opens no storage. It keeps what is the whole node's (the
 * root key, rate limits, levels of loggers), passes messages on, and sees to it that its processes run.
 */
import cluster from 'node:cluster'
import type { Writable } from 'node:stream'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { Refusal } from '../../../server/contracts/request.ts'
import { RateLimiter } from '../../../server/quotas/rate-limiter.ts'
import type { ConfigurationText, ServerConfig } from '../configuration.ts'
import type { ServerLog } from '../node/logger.ts'
import type { Answers } from './channel.ts'
import { InTransit } from './in-transit.ts'
import { Member } from './member.ts'
import type { LevelChange, SeatFacts, ToPrimary } from './messages.ts'
import { lowest, NodeLogs } from './node-logs.ts'
import { NodeMetrics } from './node-metrics.ts'
import { Supervisor } from './supervisor.ts'

export interface PrimaryOptions {
  readonly workers: number
  readonly texts: readonly ConfigurationText[]
  readonly logs: ServerLog
  readonly stdout: Writable
  /** Reads the configuration again, for processes that start later; undefined: there are no files. */
  readonly readAgain: () => ServerConfig | undefined
  /** What the primary itself reads again. */
  readonly reloadOwn: (part: string | undefined) => Promise<void>
}

/** A process that is stopped or busy holds up the others no longer. */
const patienceMs = 2000
/** All devices of audit are opened, and rows read, before a process is open. */
const openMs = 15_000

export class Primary {
  readonly #options: PrimaryOptions
  readonly #clock: Clock = systemClock
  readonly #log: Logger
  readonly #supervisor: Supervisor
  readonly #limiter = new RateLimiter()
  readonly #metrics = new NodeMetrics()
  readonly #transit = new InTransit()
  readonly #logs: NodeLogs
  #readAgain: SeatFacts['readAgain']
  #rootKey: Buffer | undefined
  #opening = 0
  #staySealed = false
  #levels: LevelChange[] = []
  #reloading: Promise<unknown> = Promise.resolve()
  #serving: (addresses: readonly string[]) => void = () => {}
  readonly #served = new Promise<readonly string[]>((resolve) => {
    this.#serving = resolve
  })

  constructor(options: PrimaryOptions) {
    const { logs, workers } = options
    this.#options = options
    this.#log = logs.logger
    // The primary's own lines go to whoever follows the log; it follows none itself.
    this.#logs = new NodeLogs({
      own: logs,
      changed: () => {},
      tap: () => {},
      tell: (line) => {
        for (const member of this.#supervisor.members) if (member.tap) member.tellLine(line)
      },
    })
    this.#supervisor = new Supervisor({
      clock: this.#clock,
      log: this.#log,
      workers,
      fork: (number) => this.#fork(number),
      lost: (member) => this.#lost(member),
    })
  }

  /** Where the workers listen, when all do; undefined: the server could not be started. */
  async start(): Promise<readonly string[] | undefined> {
    // In turn: workers that accept for themselves got 1 and 31 of 32 connections.
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({ serialization: 'advanced', args: process.argv.slice(2) })
    // Whatever ends this process: nothing of the server goes on without it.
    process.on('exit', () => this.#supervisor.killAll())
    this.#supervisor.start()
    const addresses = await Promise.race([this.#served, this.#supervisor.failedStart])
    if (addresses) this.#supervisor.settled()
    return addresses ?? undefined
  }

  async stop(graceMs: number): Promise<void> {
    this.#transit.end()
    await this.#supervisor.stop(graceMs)
    this.#forgetRootKey()
  }

  /** One process after the other: what they read again may be the same rows. Rejects with the first failure, after all are done. */
  reload(part?: string): Promise<void> {
    const turn = this.#reloading.then(() => this.#reload(part))
    this.#reloading = turn.catch(() => undefined)
    return turn
  }

  async #reload(part: string | undefined): Promise<void> {
    let failure: unknown
    const done = async (work: Promise<unknown>) => {
      await work.catch((error: unknown) => {
        failure ??= error
      })
    }
    await done(this.#options.reloadOwn(part))
    for (const member of this.#supervisor.members) {
      if (member.joined) await done(this.#within(openMs, member.channel.call('reload', { part })))
    }
    if (part === undefined || part === 'log_level') this.#levels = []
    try {
      const read = this.#options.readAgain()
      if (read) this.#readAgain = { logLevel: read.logLevel, audit: read.audit ?? [] }
    } catch {
      // Each process has said what is wrong with the file.
    }
    if (failure !== undefined) throw failure
  }

  #fork(number: number): Member {
    const worker = cluster.fork({ COFFER_SUPERVISED: '' })
    this.#transit.watch(worker)
    return new Member({
      number,
      worker,
      answers: (member) => this.#answers(member),
      failed: (name, error) => this.#log.warn('a message of a worker was not heeded', { name, error: String(error) }),
    })
  }

  #lost(member: Member): void {
    this.#metrics.keep(member)
    // It may have committed and not told.
    if (member.storageOpen) for (const other of this.#supervisor.members) other.tellChanged('reset')
    if (member.tap) this.#tellTapped()
  }

  #others(member: Member): readonly Member[] {
    return this.#supervisor.members.filter((other) => other !== member && other.seated)
  }

  #housekeeper(): Member {
    const found = this.#supervisor.housekeeper
    if (found?.joined) return found
    throw new Refusal(503, 'the housekeeping process of this server is being started: try again')
  }

  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    const enough = new AbortController()
    const late = this.#clock.sleep(ms, enough.signal).then(() => {
      throw new Error(`no answer within ${ms} ms`)
    })
    try {
      return await Promise.race([work, late])
    } finally {
      enough.abort(new Error('answered'))
      late.catch(() => undefined)
      work.catch(() => undefined)
    }
  }

  /** What every member does for one question; undefined of those that did not in time. */
  #all<T>(members: readonly Member[], ms: number, ask: (member: Member) => Promise<T>): Promise<(T | undefined)[]> {
    return Promise.all(members.map((member) => this.#within(ms, ask(member)).catch(() => undefined)))
  }

  #keepRootKey(rootKey: Uint8Array): void {
    this.#rootKey?.fill(0)
    this.#rootKey = Buffer.from(rootKey)
    rootKey.fill(0)
  }

  #forgetRootKey(): void {
    this.#rootKey?.fill(0)
    this.#rootKey = undefined
    this.#limiter.forget()
  }

  async #opened(opener: Member, rootKey: Uint8Array): Promise<{ readonly opening: number }> {
    this.#keepRootKey(rootKey)
    this.#staySealed = false
    this.#opening += 1
    const opening = this.#opening
    const key = this.#rootKey
    const members = this.#others(opener).filter(({ joined }) => joined)
    await this.#all(members, openMs, (member) => {
      if (!key) return Promise.resolve(null)
      return member.channel.call('open', { rootKey: key, opening }).catch((error: unknown) => {
        // Half a node open would refuse every other request: it starts anew, and is given the key then.
        this.#log.error('a worker could not be opened and is started anew', {
          worker: member.number,
          error: String(error),
        })
        member.kill('SIGKILL')
        return null
      })
    })
    return { opening }
  }

  async #sealed(opening: number): Promise<null> {
    if (opening !== this.#opening || this.#staySealed) return null
    this.#staySealed = true
    this.#forgetRootKey()
    const members = this.#supervisor.members.filter(({ joined }) => joined)
    await this.#all(members, patienceMs, (member) => member.channel.call('close', null))
    return null
  }

  #tellTapped(): void {
    const { members } = this.#supervisor
    this.#logs.tellFrom(lowest(members.map(({ tap }) => ({ level: tap }))))
    for (const member of members) {
      if (member.seated) member.channel.tell('tapped', this.#tappedFor(member))
    }
  }

  #tappedFor(member: Member) {
    return lowest(this.#others(member).map(({ tap }) => ({ level: tap })))
  }

  #answers(member: Member): Answers<ToPrimary> {
    return { ...this.#lifeAnswers(member), ...this.#sealAnswers(member), ...this.#sharedAnswers(member) }
  }

  #lifeAnswers(member: Member) {
    return {
      seat: () => {
        member.seated = true
        const { role, number } = member
        return {
          ...{ role, number, levels: this.#levels, staySealed: this.#staySealed },
          texts: this.#options.texts,
          readAgain: this.#readAgain,
          storageChecked: this.#others(member).some(({ storageOpen }) => storageOpen),
          tapped: this.#tappedFor(member),
        }
      },
      storageOpen: () => {
        member.storageOpen = true
        return null
      },
      rootKey: () => {
        member.joined = true
        return this.#rootKey && { rootKey: this.#rootKey, opening: this.#opening }
      },
      ready: ({ addresses }: ToPrimary['ready'][0]) => {
        member.addresses = addresses
        // Workers that wait begin when the housekeeper has done what comes before serving.
        if (member.number === 0) this.#supervisor.storageOpen()
        const { members } = this.#supervisor
        const serving = members.filter((other) => other.number !== 0 && other.addresses)
        const first = serving[0]?.addresses
        if (first && serving.length === this.#options.workers) this.#serving(first)
        return null
      },
      reload: async ({ part }: ToPrimary['reload'][0]) => {
        await this.reload(part)
        return null
      },
    } satisfies Partial<Answers<ToPrimary>>
  }

  #sealAnswers(member: Member) {
    return {
      opened: ({ rootKey }: ToPrimary['opened'][0]) => this.#opened(member, rootKey),
      rooted: ({ rootKey }: ToPrimary['rooted'][0]) => {
        if (this.#rootKey) this.#keepRootKey(rootKey)
        rootKey.fill(0)
        return null
      },
      rootKeyWrong: () => {
        this.#log.error('the root key was changed while no process was there to see it: unseal this server')
        this.#forgetRootKey()
        return null
      },
      sealed: ({ opening }: ToPrimary['sealed'][0]) => this.#sealed(opening),
      initialise: (request: ToPrimary['initialise'][0]) => this.#housekeeper().channel.call('initialise', request),
      unseal: (given: ToPrimary['unseal'][0]) => this.#housekeeper().channel.call('unseal', given),
      resetUnseal: () => this.#housekeeper().channel.call('resetUnseal', null),
      unsealProgress: () => this.#within(patienceMs, this.#housekeeper().channel.call('unsealProgress', null)),
      stepDown: () => this.#housekeeper().channel.call('stepDown', null),
    } satisfies Partial<Answers<ToPrimary>>
  }

  #sharedAnswers(member: Member) {
    return {
      take: (asks: ToPrimary['take'][0]) => {
        const now = this.#clock.monotonic()
        return asks.map(({ quota, address }) => this.#limiter.take(quota, address, now))
      },
      metrics: () => {
        const members = this.#supervisor.members.filter(({ joined }) => joined)
        return this.#metrics.all(
          members.map((one) => ({
            get images() {
              return one.images
            },
            set images(images) {
              one.images = images
            },
            ask: () => this.#within(patienceMs, one.channel.call('metrics', null)).catch(() => undefined),
          })),
        )
      },
      requests: async (given: ToPrimary['requests'][0]) => {
        const members = this.#supervisor.members.filter(({ joined }) => joined)
        const found = await this.#all(members, patienceMs, ({ channel }) => channel.call('requests', given))
        return Object.assign({}, ...found)
      },
      denial: async (given: ToPrimary['denial'][0]) => {
        const others = this.#others(member).filter(({ joined }) => joined)
        const found = await this.#all(others, patienceMs, ({ channel }) => channel.call('denial', given))
        return found.find((denial) => denial !== undefined)
      },
      auditStats: async () => {
        const members = this.#supervisor.members.filter(({ joined }) => joined)
        const found = await this.#all(members, patienceMs, ({ channel }) => channel.call('auditStats', null))
        return found.filter((stats) => stats !== undefined)
      },
      checkpoint: async () => {
        const members = this.#supervisor.members.filter(({ joined }) => joined)
        const done = await this.#all(members, openMs, ({ channel }) => channel.call('checkpoint', null))
        if (done.some((answer) => answer === undefined)) {
          throw new Refusal(503, 'a process of this server has not written its checkpoint: try again')
        }
        return null
      },
      level: (change: LevelChange) => {
        this.#levels = change.name === undefined ? [change] : [...this.#levels, change]
        this.#logs.apply(change)
        for (const other of this.#others(member)) other.channel.tell('level', change)
        return null
      },
      tap: (level: ToPrimary['tap'][0]) => {
        member.tap = level
        this.#tellTapped()
        return null
      },
      stdout: (bytes: Uint8Array) =>
        new Promise<null>((resolve, reject) => {
          this.#options.stdout.write(bytes, (error) => (error ? reject(error) : resolve(null)))
        }),
      changed: (keys: ToPrimary['changed'][0]) => {
        const change = { keys, at: this.#clock.now() }
        for (const other of this.#others(member)) other.tellChanged(change)
        return null
      },
      line: (line: ToPrimary['line'][0]) => {
        for (const other of this.#others(member)) if (other.tap) other.tellLine(line)
        return null
      },
    } satisfies Partial<Answers<ToPrimary>>
  }
}
