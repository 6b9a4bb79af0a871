/** For tests: tokens over a barrier that can die at any commit, with what hangs on them. */
import { FakeClock } from '../../lib/fake-clock.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { Barrier, plainRows } from '../barrier/barrier.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { DueIndex } from '../leases/due-index.ts'
import { openMemory } from '../storage/memory/memory.ts'
import type { NewToken } from './new-token.ts'
import { TokenRevocation } from './token-revocation.ts'
import { TokenStore } from './token-store.ts'

const rootKey = () => Buffer.alloc(32, 7)
const clock = new FakeClock()
export const never = new AbortController().signal

export const memory = (): StorageBackend => openMemory({ clock, random: systemRandom })

export async function initialised(): Promise<StorageBackend> {
  const backend = memory()
  const barrier = new Barrier({ backend, clock, random: systemRandom, log: silentLog })
  await barrier.initialise({
    rootKey: rootKey(),
    plain: [
      { key: plainRows.sealConfig, value: Buffer.from('{}') },
      { key: plainRows.wrappedRootKey, value: Buffer.from('wrapped') },
    ],
  })
  const { tokens } = await node(backend)
  tokens.close()
  return backend
}

/** One process: what it knows, it knows from storage. */
export async function node(backend: StorageBackend) {
  const rows = new Barrier({ backend, clock, random: systemRandom, log: silentLog })
  await rows.unseal(rootKey())
  const due = new DueIndex(rows.view('ns/root/'), clock)
  const tokens = new TokenStore({ rows, due, random: systemRandom })
  await tokens.open()
  const held = rows.view('test-leases/')
  const leases = {
    revokeByToken: async (id: string) => {
      for (const name of await held.list(`${id}/`, { depth: 'all', limit: 10 }))
        await held.transaction(async (tx) => tx.remove(held, `${id}/${name}`))
    },
  }
  const revocation = new TokenRevocation({ rows, tokens, leases, due, random: systemRandom })
  return { rows, due, tokens, revocation, held, cubbyholes: rows.view('cubbyhole/') }
}

export type Node = Awaited<ReturnType<typeof node>>

export async function copyOf(backend: StorageBackend): Promise<StorageBackend> {
  const copy = memory()
  await copy.load(backend.snapshot(never))
  return copy
}

export const plain: NewToken = {
  namespace: 'root',
  policies: ['default'],
  path: 'auth/token/create',
  meta: null,
  displayName: 'token',
  numUses: 0,
  ttlMs: 3_600_000,
  explicitMaxTtlMs: 0,
  periodMs: 0,
  renewable: true,
  entityId: '',
  boundCidrs: [],
  noDefaultPolicy: false,
  mount: 'm',
}

/** A token that holds a lease and something in its cubbyhole. */
export async function grow({ tokens, rows, held, cubbyholes }: Node, more: Partial<NewToken> = {}): Promise<string> {
  const { id } = await tokens.create({ ...plain, ...more })
  await rows.view('').transaction(async (tx) => {
    tx.create(held, `${id}/lease`, {})
    tx.create(cubbyholes, `${id}/a/b`, { secret: 'x' })
  })
  return id
}

/** Rows that speak of any of these tokens. */
export async function traces(backend: StorageBackend, ids: readonly string[]): Promise<string[]> {
  const keys = await backend.list('', { depth: 'all', limit: 1000 })
  return keys.filter((key) => ids.some((id) => key.includes(id)))
}

export const count = async (backend: StorageBackend, prefix: string): Promise<number> =>
  (await backend.list(prefix, { depth: 'all', limit: 1000 })).length
