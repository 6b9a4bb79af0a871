/** Behind pgbouncer in transaction mode, where every statement may meet another connection of the database. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { describeStorage } from '../../src/server/storage/storage.conformance.ts'
import { eventually, open } from './open-storage.ts'
import { freePort, type PostgresServer, passwordCanary, startPostgres } from './postgres-server.ts'
import { pgbouncer } from './programs.mjs'

const present = existsSync(pgbouncer)

let server: PostgresServer
let bouncer: ChildProcess
let folder = ''
let port = 0
beforeAll(async () => {
  if (!present) return
  server = await startPostgres()
  folder = mkdtempSync(join(tmpdir(), 'coffer-pgbouncer-'))
  port = await freePort()
  const users = join(folder, 'users')
  const settings = join(folder, 'pgbouncer.ini')
  writeFileSync(users, `"coffer" "${passwordCanary}"\n`)
  writeFileSync(
    settings,
    `[databases]\n* = host=127.0.0.1 port=${server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}
auth_type = scram-sha-256\nauth_file = ${users}\npool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\nunix_socket_dir =\n`,
  )
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  if (nobody.uid) for (const path of [folder, users, settings]) chownSync(path, nobody.uid, nobody.gid)
  bouncer = spawn(pgbouncer, [settings], { ...nobody, stdio: 'ignore' })
  await eventually(() => listens(port), 'pgbouncer to listen')
})
afterAll(async () => {
  if (!present) return
  const gone = new Promise((resolve) => bouncer.once('exit', resolve))
  bouncer.kill('SIGKILL')
  await gone
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

const listens = (at: number) =>
  new Promise<true | undefined>((resolve) => {
    const probe = connect(at, '127.0.0.1', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(undefined))
  })

const through = (database: string) => server.url(database).replace(`:${server.port}/`, `:${port}/`)

describe.skipIf(!present)('behind a pooler in transaction mode (pgbouncer)', () => {
  describeStorage(
    'postgresql, pooled',
    async () => {
      const url = through(await server.newDatabase())
      const backend = await open(url, { maxParallel: 16 })
      const peer = await open(url, { maxParallel: 16 })
      const close = async () => {
        await peer.close()
        await backend.close()
      }
      return { backend, peer, advance: (ms) => systemClock.sleep(ms), close }
    },
    {
      unsupported: [
        {
          reason: 'nobody moves the clock of the database; storage.test.ts has it with real time',
          tests: ['a beat comes each second with the time of the storage'],
        },
      ],
    },
  )

  it('more requests than it has connections are all answered', async () => {
    const backend = await open(through(await server.newDatabase()), { maxParallel: 32 })
    const rows = await Promise.all(Array.from({ length: 400 }, (_, i) => backend.read([{ key: `k${i}` }])))
    expect(rows.flat()).toEqual(Array(400).fill(undefined))
    await backend.close()
  })
})
