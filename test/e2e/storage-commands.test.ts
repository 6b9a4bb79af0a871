/** What people do to a storage without its server: check it, move it, verify a backup; and what they find when it is damaged. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { openEnvironment, versionText } from '../../src/server/storage/lmdb/environment.ts'
import { withoutSum, withSum } from '../../src/server/storage/lmdb/row-sum.ts'
import { root, startServer, type TestServer } from './server-process.ts'

let server: TestServer
const secrets = 300
const canary = 'canary-8c1e'

beforeAll(async () => {
  server = await startServer()
  await server.request('POST', 'sys/mounts/kv', { type: 'kv' })
  await server.request('POST', 'sys/namespaces/team', {})
  for (let i = 0; i < secrets; i += 1)
    await server.request('POST', `kv/app-${i}`, { value: `${canary}-${i}`, filler: 'x'.repeat(i * 10) })
})
afterAll(() => server?.close())

interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

function coffer(...args: string[]): Promise<Ran> {
  return new Promise((done) => {
    const env = { PATH: process.env['PATH'], HOME: join(server.dir, 'home') }
    const command = [join(root, 'bin/coffer'), ...args]
    const child = execFile(process.execPath, command, { env }, (_, out, err) =>
      done({ status: child.exitCode, out, err }),
    )
  })
}

function configOf(path: string): string {
  const file = join(server.dir, `${path.replaceAll('/', '_')}.hcl`)
  writeFileSync(
    file,
    `storage "lmdb" {\n  path = "${path}"\n}\nlistener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\n`,
  )
  return file
}

const check = (path: string) => coffer('operator', 'storage', 'check', `-config=${configOf(path)}`, '-format=json')

/** The storage of the server, which has ended, for `damage` to change. */
function copyOf(name: string, damage: (file: string, folder: string) => void = () => {}): string {
  const path = join(server.dir, name)
  cpSync(join(server.dir, 'data'), path, { recursive: true, preserveTimestamps: true })
  damage(join(path, 'coffer.mdb'), path)
  return path
}

function migrationOf(name: string, source: string, destination: string): string {
  const file = join(server.dir, `${name}.hcl`)
  writeFileSync(
    file,
    `storage_source "lmdb" {\n  path = "${source}"\n}\nstorage_destination "lmdb" {\n  path = "${destination}"\n}\n`,
  )
  return file
}

/** Starts a server on it: what it answers for the secrets, or why it did not start. */
async function serve(path: string): Promise<{ readonly values: readonly string[]; readonly said: string }> {
  const other = await startServer({ joins: server, storage: `storage "lmdb" {\n  path = "${path}"\n}` }).catch(
    (error: Error) => error,
  )
  if (other instanceof Error) return { values: [], said: other.message }
  try {
    const values: string[] = []
    const reader = async (first: number) => {
      for (let i = first; i < secrets; i += 8) {
        const { status, json } = await other.request('GET', `kv/app-${i}`)
        values[i] = status === 200 ? json.data.value : String(status)
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, first) => reader(first)))
    return { values, said: other.output() }
  } finally {
    await other.close()
  }
}

/** On a slow machine it says each second how far it is. */
const withoutProgress = (err: string) => err.replace(/^(copied|compared) \d+ rows, [\d.]+ MiB\n/gm, '')

const expected = Array.from({ length: secrets }, (_, i) => `${canary}-${i}`)

describe('operator storage check', () => {
  it('finds the storage of a server whole while it is written to', async () => {
    let writing = true
    const writer = (async () => {
      for (let i = 0; writing; i += 1) await server.request('POST', `kv/later-${i % 50}`, { value: i })
    })()
    const { status, out } = await check(join(server.dir, 'data'))
    writing = false
    await writer
    expect(JSON.parse(out)).toMatchObject({ verdict: 'whole', problems: [] })
    expect(status).toBe(0)
    expect(out).not.toContain(canary)
    expect(out).not.toContain('app-')
  })

  it('can say nothing where there is nothing', async () => {
    const { status, out } = await check(join(server.dir, 'nowhere'))
    expect([status, JSON.parse(out).verdict]).toEqual([2, 'unknown'])
    expect(existsSync(join(server.dir, 'nowhere'))).toBe(false)
  })
})

describe('operator snapshot verify', () => {
  it('restores a snapshot into a scratch storage and leaves nothing of it', async () => {
    const file = join(server.dir, 'good.snap')
    const answer = await fetch(`${server.url}/v1/sys/storage/raft/snapshot`, {
      headers: { 'X-Vault-Token': server.rootToken },
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    writeFileSync(file, bytes)
    const scratch = join(server.dir, 'scratch')
    mkdirSync(scratch)
    const good = await coffer('operator', 'snapshot', 'verify', `-scratch=${scratch}`, file)
    expect(good.out).toContain('Success! The snapshot was restored and read back.')
    expect(good.status).toBe(0)
    const cut = join(server.dir, 'cut.snap')
    writeFileSync(cut, bytes.subarray(0, bytes.length - 100))
    const bad = await coffer('operator', 'snapshot', 'verify', `-scratch=${scratch}`, cut)
    expect([bad.status, bad.err]).toEqual([1, expect.stringContaining('the snapshot is damaged')])
    expect(readdirSync(scratch)).toEqual([])
  })
})

describe('a storage whose server has ended', () => {
  beforeAll(async () => {
    const migration = migrationOf('early', join(server.dir, 'data'), join(server.dir, 'early'))
    const refused = await coffer('operator', 'migrate', `-config=${migration}`)
    expect(refused.err).toContain(`a server has ${join(server.dir, 'data')} open`)
    expect(refused.status).toBe(2)
    await server.kill('SIGTERM')
  })

  it('is moved, and a server on the copy has every secret, with the same keys', async () => {
    const destination = join(server.dir, 'moved')
    const ran = await coffer('operator', 'migrate', `-config=${migrationOf('moved', copyOf('moving'), destination)}`)
    expect(withoutProgress(ran.err)).toBe('')
    expect(ran.out).toMatch(
      /^\d+ rows .* compared: sha256 [0-9a-f]{64}\nSuccess! All of the keys have been migrated\.\n$/,
    )
    expect(ran.status).toBe(0)
    expect((await serve(destination)).values).toEqual(expected)
  })

  it('loses nothing and fakes nothing when its migration is killed at any moment', async () => {
    const source = copyOf('killed-source')
    const destination = join(server.dir, 'killed-destination')
    const config = migrationOf('killed', source, destination)
    for (const waitMs of [250, 350, 450, 550]) {
      const command = [join(root, 'bin/coffer'), 'operator', 'migrate', `-config=${config}`]
      const child = spawn(process.execPath, command, { stdio: 'ignore' })
      const ended = new Promise((done) => child.once('exit', done))
      await systemClock.sleep(waitMs)
      child.kill('SIGKILL')
      await ended
      if (existsSync(join(destination, 'coffer.mdb'))) rmSync(destination, { recursive: true })
      await coffer('operator', 'migrate', `-config=${config}`, '-reset')
    }
    const ran = await coffer('operator', 'migrate', `-config=${config}`)
    expect(withoutProgress(ran.err)).toBe('')
    expect((await serve(destination)).values).toEqual(expected)
    expect((await serve(source)).values).toEqual(expected)
  })

  it('that was cut is found damaged, and no server starts on it or changes it', async () => {
    const size = statSync(join(server.dir, 'data/coffer.mdb')).size - 4096 * 3
    const path = copyOf('cut', (file) => truncateSync(file, size))
    const { status, out } = await check(path)
    expect(status).toBe(1)
    expect(JSON.parse(out)).toMatchObject({ verdict: 'damaged', advice: expect.stringContaining('snapshot') })
    expect((await serve(path)).said).toContain('did not pass its check')
    expect(statSync(join(path, 'coffer.mdb')).size).toBe(size)
  })

  it('with a bit flipped in a value or in the head of a page is found damaged, or has every secret', async () => {
    const size = statSync(join(server.dir, 'data/coffer.mdb')).size
    let damaged = 0
    for (let i = 0; i < 6; i += 1) {
      const path = copyOf(`flip-${i}`, (file) => {
        const bytes = readFileSync(file)
        const page = Math.floor((size / 4096) * ((i + 1) / 8))
        const at = page * 4096 + (i % 2 ? 14 + i : 2000 + i * 100)
        bytes[at] = (bytes[at] ?? 0) ^ (1 << i)
        writeFileSync(file, bytes)
      })
      const { status, out } = await check(path)
      const { values, said } = await serve(path)
      if (status === 1) damaged += 1
      else expect([status, JSON.parse(out).verdict]).toEqual([0, 'whole'])
      if (status === 1) expect(said).toContain('did not pass its check')
      else expect(values).toEqual(expected)
    }
    expect(damaged).toBeGreaterThan(0)
  })

  it('with a value changed under a sum that fits refuses that one secret, names its row, and has every other', async () => {
    const path = copyOf('forged')
    const db = await openEnvironment(join(path, 'coffer.mdb'), { readOnly: false })
    const rows = [...db.getRange({ start: 'mnt/', versions: true })]
    const found = rows.find(({ key, value }) => key.startsWith('mnt/') && value.length > 500)
    const { key, value, version = 0 } = found ?? expect.unreachable('there is a large secret')
    const bytes = Buffer.from(withoutSum(value))
    bytes[300] = (bytes[300] ?? 0) ^ 1
    await db.put(key, withSum(key, versionText(version), bytes), version)
    await db.close()
    const { values, said } = await serve(path)
    expect(values.filter((value, i) => value !== expected[i])).toEqual(['500'])
    expect(said).toContain('stored row is damaged')
    expect(said).toContain(key)
  })

  it('has every secret with a lock file of another time, or none', async () => {
    for (const [name, damage] of [
      ['no-lock', (folder: string) => rmSync(join(folder, 'coffer.mdb-lock'), { force: true })],
      ['stale-lock', (folder: string) => writeFileSync(join(folder, 'coffer.mdb-lock'), Buffer.alloc(8192, 0xa5))],
      ['short-lock', (folder: string) => writeFileSync(join(folder, 'coffer.mdb-lock'), 'x')],
    ] as const) {
      expect((await serve(copyOf(name, (_, folder) => damage(folder)))).values).toEqual(expected)
    }
  })

  it('that may not be read is named, and nothing is said about its state', async () => {
    if (process.getuid?.() === 0) return
    const path = copyOf('unreadable', (file) => chmodSync(file, 0o000))
    const { status, out } = await check(path)
    expect([status, JSON.parse(out).verdict]).toEqual([2, 'unknown'])
  })

  it('on a disk that can only be read is checked; a server says what it could not write', { timeout: 60_000 }, () => {
    const path = copyOf('read-only')
    const disk = join(server.dir, 'disk')
    mkdirSync(disk)
    const config = configOf(disk)
    const bin = `'${process.execPath}' '${join(root, 'bin/coffer')}'`
    const script = `mount -t tmpfs -o size=64m none '${disk}' && cp -p '${path}'/coffer.mdb '${path}'/closed.json '${disk}'/ &&
      mount -o remount,ro '${disk}' && { ${bin} operator storage check -config='${config}'; echo "check $?"; ${bin} server -config='${config}'; echo "server $?"; }`
    const run = spawnSync('unshare', ['-Urm', 'sh', '-c', script], { encoding: 'utf8', timeout: 50_000 })
    if (run.stdout === '' && /unshare|mount/.test(run.stderr)) return
    expect(run.stdout).toContain('check 0')
    expect(run.stdout).toContain('server 1')
    expect(`${run.stdout}${run.stderr}`).toMatch(
      /can not be written to \(EROFS\), and a server must write to its storage/,
    )
  })
})
