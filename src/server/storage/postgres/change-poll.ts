import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { ChangeFeed } from '../feed.ts'
import { type Connections, toldAs } from './connection/connections.ts'
import type { DatabaseClock } from './database-clock.ts'
import { keysOf, numberOf, plainArray, versionColumn, versionOf } from './encoding.ts'
import type { Names } from './table-names.ts'

export interface ChangePollOptions {
  readonly connections: Connections
  readonly names: Names
  readonly feed: ChangeFeed
  readonly clock: Clock
  readonly time: DatabaseClock
  readonly log: Logger
  /** Names this opening in the rows that it writes. */
  readonly writer: string
}

const everyMs = 100
const pollDeadlineMs = 5000
/** More rows than this in one look are told as 'reset'. */
const maxRows = 5000
const keepMs = 60_000
const trimEveryMs = 10_000
const warnAheadMs = 2000

/**
 * Reads what others have committed. A row carries the id of its transaction; below `pg_snapshot_xmin` every transaction has ended, so
 * what lies between the last such horizon and the new one is complete, and each row is met once. A long transaction that writes,
 * of anyone in the server, holds the horizon back: then notices are late, and nothing is missed.
 */
export class ChangePoll {
  readonly #options: ChangePollOptions
  readonly #stop = new AbortController()
  /** Commits of this opening whose outcome it does not know: they are told by the poll if they come. */
  readonly #doubtful = new Set<string>()
  #horizon: bigint | undefined
  #started: string | undefined
  #failed = false
  #warned = false
  /** Horizons that were seen, to know which is old enough for everyone to be past it. */
  #seen: { readonly horizon: bigint; readonly at: number }[] = []
  #done: Promise<void> = Promise.resolve()

  constructor(options: ChangePollOptions) {
    this.#options = options
  }

  get healthy(): boolean {
    return !this.#failed
  }

  /** All transactions below it have ended; a commit that is sent now gets a higher id. */
  get horizon(): string {
    return String(this.#horizon ?? 0n)
  }

  /** Looks once, and then again and again. */
  async start(): Promise<void> {
    await this.#look()
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('closed'))
    await this.#done
  }

  /** It may have happened, or happen later. */
  doubt(id: string, keys: readonly string[]): void {
    this.#doubtful.add(id)
    if (this.#doubtful.size > 1000) this.#doubtful.delete([...this.#doubtful][0] ?? '')
    // If it has already happened the poll may have passed it by as one of ours.
    this.#options.feed.publish(keys)
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      await clock.sleep(everyMs, signal).catch(() => undefined)
      if (signal.aborted) return
      try {
        await this.#look()
        await this.#trim()
      } catch (error) {
        if (!this.#failed && !signal.aborted) {
          const { message } = toldAs(error, this.#options.connections.where)
          this.#options.log.warn('changes of other nodes are not read', { error: message })
        }
        this.#failed = true
      }
    }
  }

  async #look(): Promise<void> {
    const { connections, names, clock, time, writer, feed } = this.#options
    const sent = clock.monotonic()
    const values = [this.horizon, writer, plainArray([...this.#doubtful].map(versionColumn))]
    const rows = await connections.query(lookText(names), values, pollDeadlineMs)
    const [first] = rows
    if (!first) throw new Error('the row of the format is gone')
    const [xmin, now, started, trimmed, standby] = first
    if (standby !== 'f') throw new Error('it has become a standby')
    time.observe(numberOf(now), sent, clock.monotonic())
    this.#judgeTime()
    const horizon = BigInt(xmin ?? '0')
    const firstLook = this.#horizon === undefined
    // A failure may hide a crash, after which ids that never reached the disk are given anew.
    const doubt = this.#failed || this.#started !== started || horizon < (this.#horizon ?? 0n) || trimmed === 't'
    this.#failed = false
    this.#started = started ?? undefined
    this.#horizon = horizon
    if (firstLook) return
    if (doubt || rows.length > maxRows) feed.announce('reset')
    else this.#tell(rows)
  }

  #tell(rows: readonly (readonly (string | null | undefined)[])[]): void {
    const { feed } = this.#options
    for (const [, , , , , id, keys] of rows) {
      if (id === null || id === undefined) continue
      this.#doubtful.delete(versionOf(id))
      if (keys === null) feed.announce('reset')
      else feed.publish(keysOf(keys))
    }
  }

  #judgeTime(): void {
    const { time, log } = this.#options
    const ahead = Math.abs(time.aheadMs) > warnAheadMs
    if (ahead && !this.#warned) {
      log.warn('the clock of this machine is not that of the database', { aheadMs: Math.round(time.aheadMs) })
    }
    this.#warned = ahead
  }

  /** What every node that is not a minute late has read. `trimmed` tells those that are. */
  async #trim(): Promise<void> {
    const { connections, names, clock } = this.#options
    const now = clock.monotonic()
    const last = this.#seen.at(-1)
    if (this.#horizon === undefined || (last && now - last.at < trimEveryMs)) return
    this.#seen.push({ horizon: this.#horizon, at: now })
    const old = this.#seen.filter(({ at }) => now - at >= keepMs).at(-1)
    if (!old) return
    this.#seen = this.#seen.filter(({ at }) => at > old.at)
    await connections.query(trimText(names), [String(old.horizon)])
  }
}

/** The one row of the format is said to be one: without statistics it would be guessed as 2,000, and the plan compiled for that each time. */
export const lookText = ({ changes, meta }: Names) => `
  WITH snap AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin)
  SELECT s.xmin, extract(epoch FROM clock_timestamp()) * 1000, pg_postmaster_start_time(), m.trimmed > $1::text::xid8,
    pg_is_in_recovery(), c.id, c.keys
  FROM snap s CROSS JOIN (SELECT trimmed FROM ${meta} LIMIT 1) m
  LEFT JOIN ${changes} c ON c.xid >= $1::text::xid8 AND c.xid < s.xmin AND (c.writer <> $2::bigint OR c.id = ANY ($3::bigint[]))
  ORDER BY c.xid LIMIT ${maxRows + 1}`

/** One node at a time; the others skip their turn. */
const trimText = ({ changes, meta }: Names) => `
  WITH turn AS MATERIALIZED (SELECT one FROM ${meta} WHERE trimmed < $1::text::xid8 FOR UPDATE SKIP LOCKED),
  marked AS (UPDATE ${meta} SET trimmed = $1::text::xid8 WHERE EXISTS (SELECT FROM turn))
  DELETE FROM ${changes} WHERE xid < $1::text::xid8 AND EXISTS (SELECT FROM turn)`
