/** What SIGKILL, a damaged file and a full disk leave of the storage. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { Barrier } from '../../src/server/barrier/barrier.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import { type StorageBackend, StorageDown } from '../../src/server/contracts/storage.ts'
import { childCommand, openStorage } from './storage-peer.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-storage-crash-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const open = (path: string) => openStorage(path, systemClock)

const all = { depth: 'all', limit: 1_000_000 } as const
const number = { parse: Number }

function start(...args: string[]): { child: ChildProcess; lines: () => string[]; ended: Promise<unknown> } {
  const child = spawn(childCommand[0] ?? '', [...childCommand.slice(1), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  // What was said only counts up to its last whole line.
  const lines = () =>
    said
      .slice(0, said.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(Boolean)
  return { child, lines, ended: new Promise((resolve) => child.once('close', resolve)) }
}

/** Long: a disk that others keep busy has been seen to take many seconds for an fsync. */
const withinMs = 60_000

async function until(said: () => readonly string[], count: number): Promise<void> {
  const deadline = systemClock.monotonic() + withinMs
  while (said().length < count) {
    if (systemClock.monotonic() > deadline) {
      throw new Error(`only ${said().length} of ${count} lines within ${withinMs} ms: ${said().join(', ')}`)
    }
    await systemClock.sleep(5)
  }
}

describe('a server killed by SIGKILL', () => {
  it('has lost nothing that it acknowledged and left no half of a commit', async () => {
    const path = join(folder, 'killed')
    const acked: string[][] = []
    for (let round = 0; round < 5; round += 1) {
      const { child, lines, ended } = start('write', path, `r${round}`)
      await until(lines, 20)
      await systemClock.sleep((systemRandom(1)[0] ?? 0) * 1.5)
      child.kill('SIGKILL')
      await ended
      acked.push(lines())
      await holdsWhatWasAcked(path, acked)
    }
    expect(acked.flat().length).toBeGreaterThan(100)
  })

  it('has all rows of before a replacement or all of after it', async () => {
    const path = join(folder, 'replaced')
    for (let round = 0; round < 6; round += 1) {
      const from = round * 20
      const { child, lines, ended } = start('replace', path, String(from))
      await until(lines, 3)
      await systemClock.sleep((systemRandom(1)[0] ?? 0) / 2)
      child.kill('SIGKILL')
      await ended
      const said = lines().map((line) => line.split(' '))
      const done = Math.max(...said.filter(([word]) => word === 'done').map(([, generation]) => Number(generation)))
      const backend = await open(path)
      const names = await backend.list('', all)
      const rows = await backend.read(names.map((key) => ({ key })))
      const generations = new Set(rows.map((row) => (row && row !== 'same' ? row.value[0] : undefined)))
      await backend.close()
      expect(names).toHaveLength(4000)
      expect([[done % 256], [(done + 1) % 256]]).toContainEqual([...generations])
    }
  })

  it('replaces what it finds although nothing was ever overwritten there, where LMDB used to end the process', async () => {
    const path = join(folder, 'replaced-first')
    for (const generation of ['0', '1', '2']) {
      const { lines, ended } = start('replace-once', path, generation)
      await ended
      expect(lines()).toEqual(['done'])
    }
  })

  async function holdsWhatWasAcked(path: string, acked: readonly string[][]) {
    const backend = await open(path)
    const barrier = new Barrier({ backend, clock: systemClock, random: systemRandom, log: silentLog })
    await barrier.unseal(Buffer.alloc(32, 7))
    const view = barrier.view('kv/')
    const [left, right] = [new Set(await view.list('left/', all)), await view.list('right/', all)]
    for (const name of right)
      expect(await view.get(`right/${name}`, { parse: (row) => (row as { row: string }).row })).toBe(name)
    const written = new Set(right)
    const counts = new Map<string, number>()
    for (const line of acked.flat()) {
      const [, row = '', name = '', count] = line.split(' ')
      expect(written.has(row)).toBe(true)
      counts.set(name, Math.max(counts.get(name) ?? 0, Number(count)))
    }
    for (const name of ['a', 'b', 'c', 'd']) {
      // Each commit writes one row right and counts it; what was not acknowledged is there whole or not at all.
      const count = await view.get(`count-${name}`, number)
      expect(count).toBe(right.filter((row) => row.includes(`-${name}-`)).length)
      expect(count).toBeGreaterThanOrEqual(counts.get(name) ?? 0)
    }
    // Left holds the last ten of each round and writer.
    const rounds = new Map<string, number[]>()
    for (const row of right) {
      const cut = row.lastIndexOf('-')
      rounds.set(row.slice(0, cut), [...(rounds.get(row.slice(0, cut)) ?? []), Number(row.slice(cut + 1))])
    }
    const expected = [...rounds].flatMap(([of, is]) =>
      is.filter((i) => i > Math.max(...is) - 10).map((i) => `${of}-${i}`),
    )
    expect([...left].sort()).toEqual(expected.sort())
    await backend.close()
  }
})

describe('a damaged file', () => {
  const rows = 400

  async function build(path: string): Promise<string> {
    const backend = await open(path)
    const barrier = new Barrier({ backend, clock: systemClock, random: systemRandom, log: silentLog })
    await barrier.initialise({ rootKey: Buffer.alloc(32, 7), plain: [] })
    await barrier.unseal(Buffer.alloc(32, 7))
    const view = barrier.view('kv/')
    for (let i = 0; i < rows; i += 40) {
      await view.transaction(async (tx) => {
        for (let j = i; j < i + 40; j += 1)
          tx.put(view, `team-${j % 7}/app-${j}`, Buffer.alloc(300 + (j % 50) * 120, j))
      })
    }
    await backend.close()
    return join(path, 'coffer.mdb')
  }

  /** A copy that looks as after a crash, for `damage` to change. */
  function copyOf(file: string, name: string, damage: (copy: string) => void): string {
    const path = join(folder, name)
    mkdirSync(path)
    copyFileSync(file, join(path, 'coffer.mdb'))
    damage(join(path, 'coffer.mdb'))
    return path
  }

  /** Every row as it was; there is no third outcome beside this and a refusal to open. */
  async function isWhole(backend: StorageBackend): Promise<void> {
    const barrier = new Barrier({ backend, clock: systemClock, random: systemRandom, log: silentLog })
    await barrier.unseal(Buffer.alloc(32, 7))
    const view = barrier.view('kv/')
    expect((await view.list('', all)).length).toBe(rows)
    for (let j = 0; j < rows; j += 1) {
      const value = await view.getBytes(`team-${j % 7}/app-${j}`)
      expect(value && Buffer.compare(value, Buffer.alloc(300 + (j % 50) * 120, j))).toBe(0)
    }
  }

  it('that was cut by a page is refused and named, and left as it is', async () => {
    const file = await build(join(folder, 'cut-source'))
    for (const pages of [1, 7]) {
      const size = statSync(file).size - pages * 4096
      const path = copyOf(file, `cut-${pages}`, (copy) => truncateSync(copy, size))
      const refusal: Error = await open(path).then(
        () => expect.unreachable('it was opened'),
        (error) => error,
      )
      expect(refusal).toBeInstanceOf(StorageDown)
      expect(refusal.message).toContain(join(path, 'coffer.mdb'))
      expect(refusal.message).toContain('start with the folder from your last backup')
      expect(statSync(join(path, 'coffer.mdb')).size).toBe(size)
    }
  })

  it('that is no LMDB file, or an empty one, is refused and named', async () => {
    for (const [name, content] of [
      ['text', Buffer.from('hello '.repeat(5000))],
      ['zeros', Buffer.alloc(65536)],
    ] as const) {
      const path = join(folder, `not-${name}`)
      mkdirSync(path)
      writeFileSync(join(path, 'coffer.mdb'), content)
      await expect(open(path)).rejects.toThrow(join(path, 'coffer.mdb'))
      expect(readFileSync(join(path, 'coffer.mdb'))).toEqual(content)
    }
  })

  it('with random bits flipped is refused and named, or every row is as it was', async () => {
    const file = await build(join(folder, 'flip-source'))
    const pages = statSync(file).size / 4096
    let refused = 0
    const flips = Array.from({ length: 8 }, (_, seed) =>
      copyOf(file, `flip-${seed}`, (copy) => {
        const bytes = readFileSync(copy)
        const chance = new Uint16Array(Uint8Array.from(systemRandom(400)).buffer)
        for (let i = 0; i < 40; i += 1) {
          // Half of the files are hit in the heads of pages, as a confused disk would, the others once anywhere.
          const [a = 0, b = 0] = [chance[i * 2], chance[i * 2 + 1]]
          const at = seed % 2 ? (a % pages) * 4096 + (b % 24) : (a * 65536 + b) % bytes.length
          bytes[at] = (bytes[at] ?? 0) ^ (1 << (b & 7))
          if (seed % 2 === 0) break
        }
        writeFileSync(copy, bytes)
      }),
    )
    for (const path of flips) {
      const opened = await open(path).catch((error: Error) => error)
      if (opened instanceof Error) {
        expect(opened).toBeInstanceOf(StorageDown)
        expect(opened.message).toContain(join(path, 'coffer.mdb'))
        refused += 1
      } else {
        await isWhole(opened)
        await opened.close()
      }
    }
    expect(refused).toBeGreaterThanOrEqual(4)
  })

  it('is checked when it changed after it was closed in order', async () => {
    const path = join(folder, 'changed')
    const file = await build(path)
    const bytes = readFileSync(file)
    // LMDB writes pages anew elsewhere: only one of the places still counts.
    for (let at = bytes.indexOf('app-33'); at >= 0; at = bytes.indexOf('app-33', at + 1)) bytes[at] = 0x41
    writeFileSync(file, bytes)
    await expect(open(path)).rejects.toThrow(file)
  })
})

const canMount =
  process.platform === 'linux' && spawnSync('unshare', ['-Urm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

describe.skipIf(!canMount)('a full disk (needs user namespaces for a small tmpfs)', () => {
  function onSmallDisk(name: string, script: string): string[] {
    const disk = join(folder, name)
    mkdirSync(disk)
    const command = childCommand.map((part) => `'${part}'`).join(' ')
    const run = spawnSync(
      'unshare',
      [
        '-Urm',
        'sh',
        '-c',
        `mount -t tmpfs -o size=8m none '${disk}' && run() { ${command} "$@"; } && ${script.replaceAll('DISK', `'${disk}/s'`)}`,
      ],
      { encoding: 'utf8', timeout: 60_000 },
    )
    return run.stdout.split('\n')
  }

  it('is never met: below the reserve writes are refused, the volume is named, and rows stay readable', () => {
    const lines = onSmallDisk('reserve', `run fill DISK ${2 * 1024 * 1024}`)
    const refused = lines.find((line) => line.startsWith('refused')) ?? ''
    expect(refused).toContain('StorageFull')
    expect(refused).toContain(`the volume ${join(folder, 'reserve')} `)
    expect(lines.filter((line) => line.startsWith('acked')).length).toBeGreaterThan(20)
    expect(lines.filter((line) => line.startsWith('lost') || line.startsWith('fatal'))).toEqual([])
  })

  it('that is met after all ends the process at once; what was acknowledged is there for the next one', () => {
    const lines = onSmallDisk('full', 'run fill DISK -1000000000000; run count DISK -1000000000000')
    expect(lines.some((line) => line.startsWith('fatal LMDB failed to write'))).toBe(true)
    const acked = lines.filter((line) => line.startsWith('acked')).length
    const found = Number(lines.find((line) => line.startsWith('rows'))?.split(' ')[1])
    expect(acked).toBeGreaterThan(20)
    expect(found).toBeGreaterThanOrEqual(acked)
    expect(found).toBeLessThanOrEqual(acked + 1)
  })
})

describe('an acknowledged commit', () => {
  it('is found by whoever opens the file next, though its writer has not closed it', async () => {
    const path = join(folder, 'cut-commit')
    const backend = await open(path)
    const id = commitId(systemRandom)
    await backend.commit({ id, checks: [], put: [{ key: 'row/a', value: Buffer.from('1') }] })
    const { lines, ended } = start('count', path, '0')
    await ended
    expect(lines()).toEqual(['rows 1'])
    expect((await backend.read([{ key: 'row/a' }]))[0]).toMatchObject({ version: id })
    await backend.close()
  })
})
