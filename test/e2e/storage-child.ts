/** A process of the storage tests: `storage-child.ts <role> <path>`. */
import { existsSync } from 'node:fs'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { Barrier } from '../../src/server/barrier/barrier.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import { type StorageBackend, StorageFull } from '../../src/server/contracts/storage.ts'
import { checkLmdbFile } from '../../src/server/storage/lmdb/check.ts'
import { openLmdb } from '../../src/server/storage/lmdb/lmdb.ts'
import type { PeerCall } from './storage-peer.ts'

const self = [process.execPath, '--import', 'tsx', import.meta.filename]
const [role = '', path = '', extra = ''] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)

const open = (folder: string, minFreeBytes = 1024 * 1024) =>
  openLmdb({
    path: folder,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    check: { command: [...self, 'check'] },
    minFreeBytes,
    fatal: (error) => {
      say(`fatal ${error.message}`)
      // Without running exit handlers: the heap may be broken.
      process.kill(process.pid, 'SIGKILL')
    },
  })

/** Serves read, commit, list and clear of any storage folder to its parent. */
async function peer() {
  const opened = new Map<string, Promise<StorageBackend>>()
  process.on('message', async (call: PeerCall) => {
    try {
      const backend = await (opened.get(call.folder) ?? opened.set(call.folder, open(call.folder)).get(call.folder))
      if (!backend) throw new Error('not open')
      if (call.method === 'close') opened.delete(call.folder)
      // The parent has typed the arguments.
      const method = backend[call.method] as (...args: readonly unknown[]) => Promise<unknown>
      process.send?.({ id: call.id, value: await method.apply(backend, [...call.args]) })
    } catch (error) {
      process.send?.({ id: call.id, error: error instanceof Error ? error.message : String(error) })
    }
  })
  process.once('disconnect', () => process.exit(0))
  process.send?.({ id: -1 })
}

/** Waits for the file `extra`, commits at once, and says so by making the file `extra`.done. */
async function commitOnSignal() {
  const { writeFileSync } = await import('node:fs')
  const backend = await open(path)
  say('ready')
  while (!existsSync(extra)) await systemClock.sleep(1)
  await backend.commit({
    id: commitId(systemRandom),
    checks: [],
    put: [{ key: 'token', value: Buffer.from('revoked') }],
  })
  writeFileSync(`${extra}.done`, '')
  await backend.close()
}

/** Writes pairs of rows and a counter through the barrier until it is killed, and says what was acknowledged. */
async function write() {
  const backend = await open(path)
  const barrier = new Barrier({ backend, clock: systemClock, random: systemRandom, log: silentLog })
  if (!(await barrier.initialised())) await barrier.initialise({ rootKey: Buffer.alloc(32, 7), plain: [] })
  await barrier.unseal(Buffer.alloc(32, 7))
  const view = barrier.view('kv/')
  const number = { parse: Number }
  const writer = async (name: string) => {
    for (let i = 0; ; i += 1) {
      const row = `${extra}-${name}-${i}`
      const count = await view.transaction(async (tx) => {
        const next = ((await tx.get(view, `count-${name}`, number)) ?? 0) + 1
        tx.put(view, `count-${name}`, next)
        tx.create(view, `left/${row}`, { row, filler: 'x'.repeat(500) })
        tx.create(view, `right/${row}`, { row, filler: 'y'.repeat(3000) })
        if (i >= 10) tx.remove(view, `left/${extra}-${name}-${i - 10}`)
        return next
      })
      say(`acked ${row} ${name} ${count}`)
    }
  }
  await Promise.all(['a', 'b', 'c', 'd'].map(writer))
}

/** Fills its disk; `extra` is the reserve in bytes. */
async function fill() {
  const backend = await open(path, Number(extra))
  for (let i = 0; ; i += 1) {
    try {
      const put = [{ key: `row/${i}`, value: Buffer.alloc(20_000, i) }]
      await backend.commit({ id: commitId(systemRandom), checks: [], put })
      say(`acked ${i}`)
    } catch (error) {
      say(`refused ${error instanceof Error ? `${error.name}: ${error.message}` : error}`)
      if (!(error instanceof StorageFull)) return
      for (let j = 0; j < i; j += 1) {
        const [row] = await backend.read([{ key: `row/${j}` }])
        if (row === undefined) say(`lost ${j}`)
      }
      await backend.close()
      return
    }
  }
}

function rowsOf(generation: number) {
  const version = commitId(systemRandom)
  return Array.from({ length: 4000 }, (_, i) => {
    const value = Buffer.alloc(1000, generation)
    return [`row/${generation % 2}/${String(i).padStart(5, '0')}`, { value, version }] as const
  })
}

/** Replaces all rows by those of the next generation, again and again, until it is killed. */
async function replace() {
  const backend = await open(path)
  for (let generation = Number(extra); ; generation += 1) {
    say(`begun ${generation}`)
    await backend.replace(rowsOf(generation), 4_100_000)
    say(`done ${generation}`)
  }
}

/** Replaces all rows once and ends. */
async function replaceOnce() {
  const backend = await open(path)
  await backend.replace(rowsOf(Number(extra)), 4_100_000)
  await backend.close()
  say('done')
}

/** Opens, says how many rows there are, closes. */
async function count() {
  const backend = await open(path, Number(extra))
  say(`rows ${(await backend.list('row/', { depth: 'all', limit: 100_000 })).length}`)
  await backend.close()
}

/** Opens and stays until it is killed. */
async function hold() {
  await open(path)
  say('ready')
  setInterval(() => undefined, 60_000)
}

const roles: Readonly<Record<string, () => Promise<unknown>>> = {
  peer,
  write,
  fill,
  count,
  hold,
  replace,
  'replace-once': replaceOnce,
  'commit-on-signal': commitOnSignal,
  check: () => checkLmdbFile(path),
}
await roles[role]?.()
