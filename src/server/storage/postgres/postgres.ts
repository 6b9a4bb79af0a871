/** Storage in PostgreSQL 13 or later, for any number of nodes on any hosts; also behind a pooler in transaction mode. */
import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import { type RandomBytes, uuid } from '../../../lib/random.ts'
import { commitId } from '../../contracts/commit.ts'
import type { StorageBackend } from '../../contracts/storage.ts'
import { ChangeFeed } from '../feed.ts'
import { Bulk } from './bulk.ts'
import { Candidacy } from './candidacy.ts'
import { ChangePoll } from './change-poll.ts'
import type { ConnectionTarget } from './connection/connection-url.ts'
import { Connections, toldAs } from './connection/connections.ts'
import { DatabaseClock } from './database-clock.ts'
import { versionColumn } from './encoding.ts'
import { PostgresStorage } from './postgres-storage.ts'
import { prepareSchema } from './schema.ts'
import type { Names } from './table-names.ts'

export interface PostgresOptions {
  readonly target: ConnectionTarget
  readonly password: () => Promise<string | undefined>
  readonly names: Names
  /** Connections for requests; two more are for what must go on beside them. */
  readonly maxParallel: number
  readonly maxIdle: number
  /** For one statement, and before it for a connection. Default 15 s. */
  readonly deadlineMs?: number
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/** Makes the tables when there are none. Throws StorageDown when the database is away, a standby, or set up so that it would lose what it acknowledged. */
export async function openPostgres(options: PostgresOptions): Promise<StorageBackend> {
  const { names, clock, random, log, maxParallel, maxIdle } = options
  const { deadlineMs = 15_000 } = options
  const connections = new Connections({ ...options, deadlineMs, max: maxParallel, maxIdle })
  const control = new Connections({ ...options, deadlineMs, max: 2, maxIdle: 2 })
  const time = new DatabaseClock(clock)
  const writer = versionColumn(commitId(random))
  const self = uuid(random)
  const feed: ChangeFeed = new ChangeFeed({ clock: time, healthy: () => poll.healthy })
  const poll = new ChangePoll({ connections: control, names, feed, clock, time, log, writer })
  const bulk = new Bulk({ connections, names, feed, random, writer })
  try {
    await prepareSchema(control, names)
    await poll.start()
  } catch (error) {
    await Promise.all([connections.close(), control.close()])
    throw toldAs(error, control.where)
  }
  return new PostgresStorage({
    ...{ connections, control, names, feed, poll, bulk, clock, time, writer },
    candidacy: (backend) =>
      new Candidacy({ backend, connections: control, names, clock, random, self, closed: () => backend.closed }),
  })
}
