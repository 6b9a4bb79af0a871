import type { Logger } from '../../../../lib/log.ts'
import { StorageDown } from '../../../contracts/storage.ts'
import { ConnectionUrlError } from './connection-url.ts'
import { Cut, failureOf, Rejected, storageError } from './failures.ts'
import { type Parameter, type Row, Session, type SessionOptions } from './session.ts'

export interface ConnectionsOptions extends SessionOptions {
  readonly max: number
  readonly maxIdle: number
  /** For the wait for a connection, and again for the statement. */
  readonly deadlineMs: number
  readonly log: Logger
}

const maxBackOffMs = 5000

interface Waiter {
  give(session: Session): void
  fail(error: Error): void
}

/** What a server must be, told in words; checked once per connection, and again where it counts. */
const soundness = `SELECT pg_is_in_recovery(), current_setting('synchronous_commit'), current_setting('fsync'),
  current_setting('transaction_isolation'), current_setting('server_version_num')`

/** Connections to the first host that is no standby, opened when needed, at most `max`. */
export class Connections {
  readonly #options: ConnectionsOptions
  readonly #idle: Session[] = []
  readonly #all = new Set<Session>()
  readonly #waiting: Waiter[] = []
  #opening = 0
  #failures = 0
  #retryAt = Number.NEGATIVE_INFINITY
  #failed: Error | undefined
  #closed = false
  #warnedOfFsync = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
  }

  /** Where it leads, without user and password. */
  get where(): string {
    const { hosts, database } = this.#options.target
    return `${hosts.map(({ host, port }) => (host.startsWith('/') ? host : `${host}:${port}`)).join(',')}/${database}`
  }

  /** One statement. Rejects with Cut or Rejected once it was sent, with StorageDown when it was not. */
  query(text: string, values: readonly Parameter[], deadline = this.#options.deadlineMs): Promise<Row[]> {
    return this.use((session) => session.query(text, values, deadline))
  }

  /** As `query`, for statements that change nothing: tried once more on another connection when this one breaks. */
  async read(text: string, values: readonly Parameter[]): Promise<Row[]> {
    const { clock, deadlineMs } = this.#options
    const begun = clock.monotonic()
    try {
      return await this.query(text, values)
    } catch (error) {
      const quick = clock.monotonic() - begun < deadlineMs / 2
      if (error instanceof Cut && quick) return await this.query(text, values)
      throw error
    }
  }

  /** Several statements on one connection. */
  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#acquire()
    try {
      return await work(session)
    } finally {
      this.#release(session)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const waiter of this.#waiting.splice(0)) waiter.fail(new StorageDown('the storage is closed'))
    const idle = this.#idle.splice(0)
    for (const session of this.#all) if (!idle.includes(session)) session.destroy()
    await Promise.all(idle.map((session) => session.end()))
    this.#all.clear()
  }

  async #acquire(): Promise<Session> {
    if (this.#closed) throw new StorageDown('the storage is closed')
    for (;;) {
      const idle = this.#idle.pop()
      if (!idle) break
      if (!idle.lost) return idle
    }
    if (this.#all.size + this.#opening < this.#options.max) return this.#open()
    return this.#wait()
  }

  #wait(): Promise<Session> {
    const { clock, max, deadlineMs } = this.#options
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void) => {
        cancel()
        const at = this.#waiting.indexOf(waiter)
        if (at >= 0) this.#waiting.splice(at, 1)
        settle()
      }
      const waiter: Waiter = {
        give: (session) => leave(() => resolve(session)),
        fail: (error) => leave(() => reject(error)),
      }
      const cancel = clock.after(deadlineMs, () =>
        waiter.fail(
          new StorageDown(`all ${max} connections to PostgreSQL at ${this.where} are busy: raise max_parallel`),
        ),
      )
      this.#waiting.push(waiter)
    })
  }

  #release(session: Session): void {
    if (this.#closed || session.lost) {
      session.destroy()
      this.#serveWaiting()
      return
    }
    const waiter = this.#waiting[0]
    if (waiter) waiter.give(session)
    else if (this.#idle.length < this.#options.maxIdle) this.#idle.push(session)
    else {
      this.#all.delete(session)
      session.end().catch(() => undefined)
    }
  }

  /** A connection broke, so there is room for one. */
  #serveWaiting(): void {
    const waiter = this.#waiting[0]
    if (!waiter || this.#closed || this.#all.size + this.#opening >= this.#options.max) return
    this.#open().then(
      (session) => this.#release(session),
      (error: Error) => {
        // Others may still be served by a connection that is in use.
        if (this.#all.size === 0) for (const one of this.#waiting.splice(0)) one.fail(error)
      },
    )
  }

  /** Between failed attempts there is a pause, ever longer, in which the last error is told at once. */
  async #open(): Promise<Session> {
    const { clock, log } = this.#options
    if (this.#failed && clock.monotonic() < this.#retryAt) throw this.#failed
    this.#opening += 1
    try {
      const session = await this.#openFirst()
      if (this.#failures > 0) log.info('connected again', { where: session.where })
      this.#failures = 0
      this.#failed = undefined
      if (this.#closed) {
        session.destroy()
        throw new StorageDown('the storage is closed')
      }
      this.#all.add(session)
      session.whenLost(() => this.#forget(session))
      return session
    } catch (error) {
      if (this.#closed || !(error instanceof Error)) throw error
      this.#failures += 1
      this.#retryAt = clock.monotonic() + Math.min(maxBackOffMs, 50 * 2 ** Math.min(this.#failures, 10))
      this.#failed = error
      if (this.#failures === 1) log.warn('not connected', { error: error.message })
      throw error
    } finally {
      this.#opening -= 1
    }
  }

  #forget(session: Session): void {
    // One that was sent away itself says nothing about the others.
    if (!this.#all.delete(session)) return
    const at = this.#idle.indexOf(session)
    if (at >= 0) this.#idle.splice(at, 1)
    // What broke one has likely broken the others that nobody is looking at.
    for (const idle of this.#idle.splice(0)) idle.destroy()
  }

  async #openFirst(): Promise<Session> {
    const errors: Error[] = []
    for (const host of this.#options.target.hosts) {
      try {
        const session = await Session.open(host, this.#options)
        const unsound = await this.#unsound(session)
        if (unsound === undefined) return session
        await session.end()
        errors.push(new StorageDown(`PostgreSQL at ${session.where} ${unsound}`))
      } catch (error) {
        if (error instanceof ConnectionUrlError) errors.push(new StorageDown(error.message))
        else errors.push(storageError(failureOf(error), placeOf(host)))
      }
    }
    const [first] = errors
    if (errors.length === 1 && first) throw first
    throw new StorageDown(`no host is the primary: ${errors.map(({ message }) => message).join('; ')}`)
  }

  async #unsound(session: Session): Promise<string | undefined> {
    const [row] = await session.query(soundness, [], this.#options.target.connectTimeoutMs)
    const [standby, durable, fsync, isolation, version] = row ?? []
    if (Number(version) < 130_000) return 'is older than 13, which is needed'
    if (standby !== 'f') return 'is a standby: a node reads what others acknowledged, which only the primary has'
    if (durable === 'off')
      return 'has synchronous_commit = off for this user, so it would lose what was acknowledged: turn it on'
    if (isolation !== 'read committed')
      return `has default_transaction_isolation = ${isolation}: read committed is needed`
    if (fsync === 'off' && !this.#warnedOfFsync) {
      this.#warnedOfFsync = true
      this.#options.log.warn('PostgreSQL runs with fsync = off: a power cut loses what was acknowledged', {})
    }
    return undefined
  }
}

const placeOf = ({ host, port }: { host: string; port: number }) => (host.startsWith('/') ? host : `${host}:${port}`)

/** What callers of the storage are told. */
export function toldAs(error: unknown, where: string): Error {
  if (error instanceof Cut || error instanceof Rejected) return storageError(error, where)
  return error instanceof Error ? error : new StorageDown(String(error))
}
