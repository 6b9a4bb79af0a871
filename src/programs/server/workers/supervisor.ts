import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { Member } from './member.ts'

export interface SupervisorOptions {
  readonly clock: Clock
  readonly log: Logger
  /** How many besides the housekeeper, whose number is 0. */
  readonly workers: number
  /** Starts the process with this number. */
  readonly fork: (number: number) => Member
  /** It is gone, and was not asked to go. */
  readonly lost: (member: Member) => void
}

const firstPauseMs = 100
const longestPauseMs = 10_000
/** One that lived so long begins with the first pause again. */
const steadyMs = 10_000

/** Keeps the processes of a node alive: what ends is started anew, after a pause that grows while it ends at once. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #members = new Map<number, Member>()
  readonly #failures = new Map<number, number>()
  /** They wait until the storage is open somewhere. */
  readonly #waiting = new Set<number>()
  #stopping = false
  readonly #pauses = new AbortController()
  /** The server has served once; before that an end is a failed start. */
  #settled = false
  #failedStart = () => {}
  readonly failedStart = new Promise<void>((resolve) => {
    this.#failedStart = resolve
  })

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  get members(): readonly Member[] {
    return [...this.#members.values()]
  }

  get housekeeper(): Member | undefined {
    return this.#members.get(0)
  }

  start(): void {
    for (let number = 0; number <= this.#options.workers; number += 1) this.#start(number)
  }

  /** From now on what ends is started anew. */
  settled(): void {
    this.#settled = true
  }

  /** Of all that run one after another are looked at: a storage that nobody has open may have to be checked, by one process alone. */
  #start(number: number): void {
    if (this.#stopping) return
    if (number !== 0 && !this.members.some(({ storageOpen }) => storageOpen)) {
      this.#waiting.add(number)
      return
    }
    const { clock } = this.#options
    const begun = clock.monotonic()
    const member = this.#options.fork(number)
    this.#members.set(number, member)
    void member.ended.then((how) => this.#ended(member, clock.monotonic() - begun, how))
  }

  /** A process has the storage open, checked if it had to be. */
  storageOpen(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const number of waiting) this.#start(number)
  }

  #ended(member: Member, lived: number, how: { readonly code: number | null; readonly signal: string | null }): void {
    const { clock, log, lost } = this.#options
    const { number, role, pid } = member
    this.#members.delete(number)
    if (this.#stopping) return
    lost(member)
    if (!this.#settled) {
      log.error('not started', { role, worker: number, code: how.code, signal: how.signal })
      this.#failedStart()
      return
    }
    const failures = lived >= steadyMs ? 1 : (this.#failures.get(number) ?? 0) + 1
    this.#failures.set(number, failures)
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 10))
    log.error('a process of this server ended, it is started anew', {
      ...{ role, worker: number, pid, code: how.code, signal: how.signal },
      pause_ms: pauseMs,
    })
    // A sleep keeps this process alive, also when all others are gone.
    clock.sleep(pauseMs, this.#pauses.signal).then(
      () => this.#start(number),
      () => undefined,
    )
  }

  /**
   * Workers first: what they still do may need the housekeeper. Who has not gone by then is ended, and who can't be ended (the
   * kernel waits for a disk) is left behind: this always resolves.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    this.#pauses.abort(new Error('stopping'))
    const workers = this.members.filter(({ number }) => number !== 0)
    await this.#end(workers, graceMs + closingMs)
    await this.#end(
      this.members.filter(({ number }) => number === 0),
      closingMs,
    )
  }

  async #end(members: readonly Member[], withinMs: number): Promise<void> {
    const { log } = this.#options
    for (const member of members) {
      // One that has no seat yet knows of nothing to end.
      if (member.seated) member.channel.tell('stop', null)
      else member.kill('SIGKILL')
    }
    for (const member of await this.#left(members, withinMs)) {
      const { role, number, pid } = member
      log.error('a process of this server did not stop in time and is ended', {
        ...{ role, worker: number, pid, after_ms: withinMs },
      })
      member.kill('SIGKILL')
    }
    for (const { role, number, pid } of await this.#left(members, killedMs)) {
      log.error('a process of this server could not be ended and is left behind', { role, worker: number, pid })
    }
  }

  /** Those that have not ended by then. */
  async #left(members: readonly Member[], withinMs: number): Promise<readonly Member[]> {
    const left = () => members.filter((member) => this.#members.get(member.number) === member)
    const enough = new AbortController()
    const late = this.#options.clock.sleep(withinMs, enough.signal).catch(() => undefined)
    // What notes an end was asked to before this.
    await Promise.race([Promise.all(left().map(({ ended }) => ended)), late])
    enough.abort(new Error('all have ended'))
    return left()
  }

  /** At once; for a primary that ends itself. */
  killAll(): void {
    for (const member of this.members) member.kill('SIGKILL')
  }
}

/** Beyond the time for requests: audit devices and storage are closed then. */
const closingMs = 5000
/** A process that is killed ends at once, if it can. */
const killedMs = 2000
