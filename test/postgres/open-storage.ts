import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { type Logger, silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import type { ReadResult } from '../../src/server/contracts/storage.ts'
import { parseConnectionUrl } from '../../src/server/storage/postgres/connection/connection-url.ts'
import { openPostgres } from '../../src/server/storage/postgres/postgres.ts'
import { tableNames } from '../../src/server/storage/postgres/table-names.ts'

export function open(
  url: string,
  options: { table?: string; log?: Logger; clock?: Clock; maxParallel?: number; deadlineMs?: number } = {},
) {
  const target = parseConnectionUrl(url)
  const names = tableNames(options.table ?? 'coffer_rows')
  if (!names) throw new Error('no table name')
  return openPostgres({
    target,
    password: async () => target.password?.reveal(),
    names,
    maxParallel: options.maxParallel ?? 8,
    maxIdle: 8,
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    clock: options.clock ?? systemClock,
    random: systemRandom,
    log: options.log ?? silentLog,
  })
}

export const put = (key: string, value = 'v') => ({
  id: commitId(systemRandom),
  checks: [],
  put: [{ key, value: Buffer.from(value) }],
})

export const textOf = (row: ReadResult) => (typeof row === 'object' ? Buffer.from(row.value).toString() : row)

/** Log lines, to look for what must not be in them. */
export function recordingLog(): { log: Logger; lines: string[] } {
  const lines: string[] = []
  const write = (level: string) => (event: string, fields?: object) => {
    lines.push(`${level} ${event} ${JSON.stringify(fields ?? {})}`)
  }
  const log: Logger = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: () => log,
  }
  return { log, lines }
}

/** Resolves when `look` gives something; fails after a minute. */
export async function eventually<T>(look: () => Promise<T | undefined> | T | undefined, what: string): Promise<T> {
  const deadline = systemClock.monotonic() + 60_000
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (systemClock.monotonic() > deadline) throw new Error(`not within a minute: ${what}`)
    await systemClock.sleep(10)
  }
}
