/**
 * Start-up and memory of a server with many leases against one with a thousand, on LMDB: opening, unsealing, the first
 * lookup, renewal refusal and sweep. Best of five interleaved starts, each in a process of its own, up to three times: the rest is
 * what else the machine does. Exits 1 when many cost more than a tenth more. 200,000 leases by default; `--million`; `--report` to
 * only print.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/lib/clock.ts'
import { stringifyJson } from '../src/lib/json/stringify.ts'
import type { JsonObject } from '../src/lib/json/value.ts'
import { silentLog } from '../src/lib/log.ts'
import { base62, systemRandom, uuid } from '../src/lib/random.ts'
import { engines, outbound } from '../src/programs/engines.ts'
import { type Core, createCore } from '../src/programs/server/core.ts'
import type { StorageBackend } from '../src/server/contracts/storage.ts'
import { inject } from '../src/server/http/handler.ts'
import { DueIndex } from '../src/server/leases/due-index.ts'
import type { LeaseRow } from '../src/server/leases/lease-row.ts'
import { LeaseRows } from '../src/server/leases/lease-rows.ts'
import { vaultTtl } from '../src/server/mounts/mount-json.ts'
import { shamirSeal } from '../src/server/seal/shamir/shamir.ts'
import { rssAnonMb } from './server/processes.ts'
import { openStorage, unsealed } from './server/storage.ts'

const few = 1000
const many = process.argv.includes('--million') ? 1_000_000 : 200_000
const allowed = 1.1
const attempts = 3
const known = 'database/creds/r0/000000000000000000000000'

const open = (path: string) => openStorage(path, { minFreeBytes: 1 })

function newCore(backend: StorageBackend): Core {
  return createCore({
    backend,
    types: engines,
    auditDevices: {},
    outbound: outbound({ allow: [] }),
    ttl: vaultTtl,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    version: '2.6.0',
    cofferVersion: '0.1.0',
    node: 'bench',
  })
}

async function call(core: Core, method: string, path: string, body: JsonObject, token = ''): Promise<JsonObject> {
  const answer = await inject(core.handler, {
    method,
    path: `/v1/${path}`,
    headers: token === '' ? {} : { 'X-Vault-Token': token },
    body: stringifyJson(body),
  })
  return answer.body === '' ? {} : JSON.parse(answer.body)
}

/** A server that was initialised, and that many leases, put where the lease store puts them. */
async function fill(path: string, count: number): Promise<{ key: string; token: string }> {
  const backend = await open(path)
  const core = newCore(backend)
  const init = await call(core, 'PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 })
  const key = String((init['keys'] as string[])[0])
  await call(core, 'PUT', 'sys/unseal', { key })
  await core.close(1000)
  // The one share is the key that wraps the root key.
  const barrier = await unsealed(backend, shamirSeal({ kek: Buffer.from(key, 'hex'), random: systemRandom }))
  const rows = new LeaseRows(barrier, new DueIndex(barrier.view('ns/root/'), systemClock))
  const mount = uuid(systemRandom)
  const now = Date.now()
  const batches = Array.from({ length: Math.ceil(count / 50) }, (_, i) => i).reverse()
  const lane = async () => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
      const first = batch * 50
      await rows.places.transaction(async (tx) => {
        for (let i = first; i < Math.min(first + 50, count); i += 1) rows.create(tx, leaseAt(i, mount, now))
      })
    }
  }
  await Promise.all(Array.from({ length: 16 }, lane))
  barrier.seal()
  await backend.close()
  return { key, token: String(init['root_token']) }
}

function leaseAt(i: number, mount: string, now: number): LeaseRow {
  const path = `database/creds/r${i % 1000}`
  const day = 86_400_000
  const expiresAt = now + day + Math.floor((i / many) * 30 * day)
  return {
    format: 1,
    id: i === 0 ? known : `${path}/${base62(systemRandom, 24)}`,
    path,
    mount,
    handler: 'user',
    state: { name: `v-token-r${i}`, revocation: 'DROP ROLE IF EXISTS "{{name}}";' },
    token: base62(systemRandom, 43),
    status: 'active',
    issuedAt: now,
    expiresAt,
    dueAt: expiresAt,
    ttlMs: expiresAt - now,
    maxTtlMs: 0,
    renewable: false,
    renewedAt: null,
    attempts: 0,
  }
}

/** In a process of its own. */
async function start(path: string, key: string, token: string): Promise<void> {
  const begun = performance.now()
  const backend = await open(path)
  const core = newCore(backend)
  await call(core, 'PUT', 'sys/unseal', { key })
  const looked = await call(core, 'PUT', 'sys/leases/lookup', { lease_id: known }, token)
  if (!looked['data']) throw new Error(`lookup failed: ${JSON.stringify(looked)}`)
  await call(core, 'PUT', 'sys/leases/renew', { lease_id: known }, token)
  const ms = performance.now() - begun
  // A sweep of the housekeeper.
  await systemClock.sleep(1300)
  // What was left to the collector is as much as it had not come to yet.
  globalThis.gc?.()
  const measured = { ms, rssAnonMb: rssAnonMb([process.pid]) }
  await core.close(1000)
  await backend.close()
  process.stdout.write(JSON.stringify(measured))
}

interface Side {
  readonly count: number
  readonly path: string
  readonly key: string
  readonly token: string
  readonly runs: { ms: number; rssAnonMb: number }[]
}

/** Says how far many are from few; false: too far. */
function compared(sides: readonly Side[]): boolean {
  const [small, large] = sides.map(({ count, runs }) => {
    const figures = {
      ms: Math.min(...runs.map(({ ms }) => ms)),
      rssAnonMb: Math.min(...runs.map(({ rssAnonMb }) => rssAnonMb)),
    }
    console.log(`${count} leases: start ${figures.ms.toFixed(0)} ms, RssAnon ${figures.rssAnonMb.toFixed(1)} MB`)
    return figures
  })
  if (!small || !large) return false
  const ratios = { start: large.ms / small.ms, memory: large.rssAnonMb / small.rssAnonMb }
  console.log(`start ${ratios.start.toFixed(2)}, memory ${ratios.memory.toFixed(2)} (allowed ${allowed})`)
  return ratios.start <= allowed && ratios.memory <= allowed
}

async function main(): Promise<boolean> {
  const scratch = mkdtempSync(join(tmpdir(), 'coffer-leases-'))
  try {
    const sides: Side[] = []
    for (const count of [few, many]) {
      const path = join(scratch, String(count))
      const begun = performance.now()
      sides.push({ count, path, ...(await fill(path, count)), runs: [] })
      console.log(`${count} leases stored in ${((performance.now() - begun) / 1000).toFixed(1)} s`)
    }
    // More runs while they are too far apart: the best of each can only come nearer to what it takes.
    for (let attempt = 1; ; attempt += 1) {
      for (let run = 0; run < 5; run += 1) {
        for (const side of sides) {
          const script = process.argv[1] ?? ''
          const args = [...process.execArgv, '--expose-gc', script, 'start', side.path, side.key, side.token]
          side.runs.push(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })))
        }
      }
      const holds = compared(sides)
      if (holds || attempt === attempts) return holds
    }
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

const [, , mode, path = '', key = '', token = ''] = process.argv
if (mode === 'start') await start(path, key, token)
else if (!(await main()) && !process.argv.includes('--report')) process.exitCode = 1
