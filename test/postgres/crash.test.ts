/** PostgreSQL is killed at random moments under load (COFFER_KILLS times, default 20), with fsync on; a history proves that nothing acknowledged is lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import { OutcomeUnknown, type StorageBackend, StorageDown } from '../../src/server/contracts/storage.ts'
import { eventually, open, textOf } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

const kills = Number(process.env['COFFER_KILLS'] ?? 20)

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.close())

interface History {
  /** Pairs of rows that were acknowledged. */
  readonly acked: string[]
  /** Pairs of which nobody knows. */
  readonly unknown: string[]
  /** Pairs that were refused, so must not be there. */
  readonly refused: string[]
  /** By counter: numbers that an acknowledged commit has written. */
  readonly counted: Map<string, number[]>
  readonly doubtful: Map<string, number>
}

/** Increments a counter under cas and creates a pair of rows with it, until it is stopped. */
async function write(backend: StorageBackend, name: string, counter: string, history: History, stop: () => boolean) {
  for (let i = 0; !stop(); i += 1) {
    const pair = `${name}/${i}`
    let next = 0
    let sent = false
    try {
      const [row] = await backend.read([{ key: counter }])
      if (typeof row !== 'object') throw new Error('the counter is gone')
      next = Number(textOf(row)) + 1
      sent = true
      const value = Buffer.from(`${pair} ${'x'.repeat(800)}`)
      const outcome = await backend.commit({
        id: commitId(systemRandom),
        checks: [{ key: counter, version: row.version }],
        create: [
          { key: `left/${pair}`, value },
          { key: `right/${pair}`, value },
        ],
        put: [{ key: counter, value: Buffer.from(String(next)) }],
      })
      if (outcome === 'ok') {
        history.acked.push(pair)
        history.counted.get(counter)?.push(next)
      } else history.refused.push(pair)
    } catch (error) {
      if (!(error instanceof OutcomeUnknown) && !(error instanceof StorageDown)) throw error
      if (error instanceof OutcomeUnknown) {
        history.unknown.push(pair)
        history.doubtful.set(counter, (history.doubtful.get(counter) ?? 0) + 1)
      } else if (sent) history.refused.push(pair)
      await systemClock.sleep(20)
    }
  }
}

describe('PostgreSQL killed under load', () => {
  it(
    `loses nothing acknowledged, tears nothing and loses no update (${kills} kills)`,
    async () => {
      const url = server.url(await server.newDatabase())
      const nodes = [await open(url), await open(url)]
      const counters = ['count/a', 'count/b', 'count/c']
      const history: History = {
        acked: [],
        unknown: [],
        refused: [],
        counted: new Map(counters.map((counter) => [counter, []])),
        doubtful: new Map(),
      }
      const [first] = nodes
      if (!first) throw new Error('no node')
      const puts = counters.map((key) => ({ key, value: Buffer.from('0') }))
      await first.commit({ id: commitId(systemRandom), checks: [], put: puts })
      let stopped = false
      const writers = Array.from({ length: 8 }, (_, i) => {
        const node = nodes[i % 2] ?? first
        return write(node, `w${i}`, counters[i % 3] ?? '', history, () => stopped)
      })
      for (let kill = 0; kill < kills; kill += 1) {
        const before = history.acked.length
        await eventually(() => (history.acked.length > before + 20 ? true : undefined), 'commits between kills')
        await systemClock.sleep((systemRandom(1)[0] ?? 0) * 2)
        await server.crash()
        await server.start()
      }
      const before = history.acked.length
      await eventually(() => (history.acked.length > before + 20 ? true : undefined), 'commits after the last kill')
      stopped = true
      await Promise.all(writers)
      await Promise.all(nodes.map((node) => node.close()))
      const fresh = await open(url)
      await check(fresh, history)
      await fresh.close()
    },
    60_000 + kills * 15_000,
  )
})

async function check(backend: StorageBackend, history: History) {
  const left = new Set(await backend.list('left/', { depth: 'all', limit: 1_000_000 }))
  const right = new Set(await backend.list('right/', { depth: 'all', limit: 1_000_000 }))
  expect(history.acked.filter((pair) => !left.has(pair))).toEqual([])
  expect([...left].filter((pair) => !right.has(pair))).toEqual([])
  expect([...right].filter((pair) => !left.has(pair))).toEqual([])
  expect(history.refused.filter((pair) => left.has(pair))).toEqual([])
  const known = new Set([...history.acked, ...history.unknown])
  expect([...left].filter((pair) => !known.has(pair))).toEqual([])
  let total = 0
  for (const [counter, numbers] of history.counted) {
    // Two acknowledged commits that wrote the same number would be a lost update.
    expect(new Set(numbers).size).toBe(numbers.length)
    const [row] = await backend.read([{ key: counter }])
    const last = Number(textOf(row))
    expect(last).toBeGreaterThanOrEqual(Math.max(...numbers))
    expect(last).toBeLessThanOrEqual(numbers.length + (history.doubtful.get(counter) ?? 0))
    total += last
  }
  // Each increment came with its pair.
  expect(left.size).toBe(total)
  expect(history.acked.length).toBeGreaterThan(100)
  const values = await backend.read(history.acked.slice(0, 200).map((pair) => ({ key: `left/${pair}` })))
  expect(values.map((row) => textOf(row)?.split(' ')[0])).toEqual(history.acked.slice(0, 200))
}
