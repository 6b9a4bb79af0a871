import { beforeAll, describe, expect, it } from 'vitest'
import { noGuard } from '../contracts/due-rows.ts'
import type { StorageBackend } from '../contracts/storage.ts'
import { crashing } from '../storage/test-crashing.ts'
import { copyOf, count, grow, initialised, type Node, never, node, plain, traces } from './test-tree.ts'

/** top -> (a -> (a1, a2 -> a21), b), and a stranger. */
interface Tree {
  readonly top: string
  readonly below: readonly string[]
  readonly stranger: string
}
let grown: StorageBackend
let tree: Tree

beforeAll(async () => {
  grown = await initialised()
  const first = await node(grown)
  const stranger = await grow(first)
  const top = await grow(first)
  const a = await grow(first, { parent: top, numUses: 5 })
  const b = await grow(first, { parent: top })
  const a1 = await grow(first, { parent: a })
  const a2 = await grow(first, { parent: a })
  const a21 = await grow(first, { parent: a2, ttlMs: 0 })
  tree = { top, below: [a, b, a1, a2, a21], stranger }
})

/** Runs `work` on a process that dies at each of its commits in turn, before and after it; `check` gets what was left. */
async function atEachCommit(
  work: (dying: Node) => Promise<unknown>,
  check: (left: StorageBackend, next: Node, commits: number) => Promise<void>,
): Promise<number> {
  let deaths = 0
  for (const when of ['before', 'after'] as const) {
    for (let at = 0; ; at += 1) {
      const backend = await copyOf(grown)
      let outcome: 'done' | 'died' = 'done'
      try {
        await work(await node(crashing(backend, at, when)))
      } catch (error) {
        expect(String(error)).toContain('the process died here')
        outcome = 'died'
      }
      if (outcome === 'done') break
      deaths += 1
      await check(backend, await node(backend), when === 'after' ? at + 1 : at)
    }
  }
  return deaths
}

const alive = async ({ tokens }: Node, ids: readonly string[]) => {
  const found = await Promise.all(ids.map((id) => tokens.find(id)))
  return found.map((row) => row !== undefined)
}

describe('a process that dies while it revokes a tree', () => {
  it('leaves all alive or all dead, and the next one finishes: tokens, leases and cubbyholes', async () => {
    const { top, below, stranger } = tree
    const all = [top, ...below]
    const deaths = await atEachCommit(
      ({ revocation }) => revocation.revoke(top, never),
      async (left, next, commits) => {
        expect(new Set(await alive(next, all))).toEqual(new Set([commits === 0]))
        await next.revocation.resume(noGuard, never)
        if (commits === 0) expect(await next.revocation.revoke(top, never)).toBe(true)
        expect(await traces(left, all)).toEqual([])
        expect(await count(left, 'ns/root/due/')).toBe(1)
        expect(await count(left, 'ns/root/tokens/accessor/')).toBe(1)
        expect(await alive(next, [stranger])).toEqual([true])
        expect((await traces(left, [stranger])).length).toBe(4)
      },
    )
    // Six tokens with a lease and a cubbyhole each: at least three commits for each, before and after.
    expect(deaths).toBeGreaterThan(36)
  })

  it('alone leaves children that live on as orphans, with all below them', async () => {
    const { top, below } = tree
    const [a = '', b = '', a1 = '', a2 = '', a21 = ''] = below
    await atEachCommit(
      ({ revocation }) => revocation.revokeOrphaning(top, never),
      async (left, next, commits) => {
        await next.revocation.resume(noGuard, never)
        if (commits === 0) expect(await next.revocation.revokeOrphaning(top, never)).toBe(true)
        expect(await traces(left, [top])).toEqual([])
        expect(await alive(next, below)).toEqual([true, true, true, true, true])
        const ancestors = await Promise.all(below.map(async (id) => (await next.tokens.find(id))?.ancestors))
        expect(ancestors).toEqual([[], [], [a], [a], [a2, a]])
        await next.revocation.revoke(a, never)
        expect(await alive(next, [a, b, a1, a2, a21])).toEqual([false, true, false, false, false])
      },
    )
  })

  it('by its end leaves what the sweep of the next one takes', async () => {
    const { top } = tree
    await atEachCommit(
      async ({ due, rows, revocation }) => {
        void revocation
        await due.sweep((await rows.now()) + 3_600_001, noGuard, never, () => {})
        await due.idle()
        // The sweep reports nothing: whether the process died is seen in its storage.
        await rows.view('test/').transaction(async (tx) => tx.put(rows.view('test/'), 'end', {}))
      },
      async (left, next) => {
        await next.revocation.resume(noGuard, never)
        expect(await count(left, 'ns/root/tokens/intent/')).toBe(0)
        await next.revocation.revoke(top, never)
        expect(await traces(left, [top])).toEqual([])
      },
    )
  })
})

it('a process that dies while it ends tokens by their path leaves the rest to the next one', async () => {
  const { top, below, stranger } = tree
  const all = [top, ...below, stranger]
  const deaths = await atEachCommit(
    ({ revocation }) => revocation.byPath.revoke('root', 'auth/token/create', { later: false, signal: never }),
    async (left, next, commits) => {
      if (commits === 0) return expect(await alive(next, all)).not.toContain(false)
      await next.revocation.resume(noGuard, never)
      await next.due.sweep((await next.rows.now()) + 121_000, noGuard, never, () => {})
      await next.due.idle()
      expect(await traces(left, all)).toEqual([])
      expect(await count(left, 'ns/root/tokens/ending/')).toBe(0)
      expect(await count(left, 'ns/root/due/')).toBe(0)
    },
  )
  expect(deaths).toBeGreaterThan(40)
})

describe('the tokens of a namespace', () => {
  it('end page by page, also when the process dies, and nobody else ends', async () => {
    const before = grown
    grown = await copyOf(grown)
    try {
      const first = await node(grown)
      const ids: string[] = []
      for (let i = 0; i < 3; i += 1) ids.push(await grow(first, { namespace: 'aB3dE9' }))
      ids.push(await grow(first, { namespace: 'aB3dE9', parent: ids[0] ?? '' }))
      await atEachCommit(
        ({ revocation }) => revocation.revokeByNamespace('aB3dE9', never),
        async (left, next) => {
          await next.revocation.resume(noGuard, never)
          await next.revocation.revokeByNamespace('aB3dE9', never)
          expect(await traces(left, ids)).toEqual([])
          expect(await count(left, 'ns/aB3dE9/')).toBe(0)
          expect(await alive(next, [tree.top, ...tree.below])).not.toContain(false)
        },
      )
    } finally {
      grown = before
    }
  })

  it('end although an accessor points at nothing', async () => {
    const backend = await copyOf(grown)
    const { tokens, revocation } = await node(backend)
    const view = tokens.accessors('aB3dE9')
    await view.transaction(async (tx) => tx.create(view, 'stray', { id: 'nobody', accessor: 'a.aB3dE9' }))
    await revocation.revokeByNamespace('aB3dE9', never)
    expect(await count(backend, 'ns/aB3dE9/')).toBe(0)
  })
})

describe('a tree that is deeper and wider than a page', () => {
  it('goes whole', async () => {
    const backend = await initialised()
    const first = await node(backend)
    const top = (await first.tokens.create({ ...plain, ttlMs: 1000 })).id
    let parent = top
    for (let depth = 0; depth < 40; depth += 1) parent = (await first.tokens.create({ ...plain, parent })).id
    for (let i = 0; i < 250; i += 1) await first.tokens.create({ ...plain, parent: top })
    await first.revocation.revoke(top, never)
    expect(await count(backend, 'ns/root/tokens/')).toBe(2)
    expect(await count(backend, 'ns/root/due/')).toBe(0)
  })

  it('is at most 64 generations deep', async () => {
    const first = await node(await initialised())
    let parent = (await first.tokens.create(plain)).id
    for (let depth = 0; depth < 64; depth += 1) parent = (await first.tokens.create({ ...plain, parent })).id
    await expect(first.tokens.create({ ...plain, parent })).rejects.toThrow('at most 64 generations')
  })
})

describe('a revocation that fails', () => {
  it('holds up no other', async () => {
    const backend = await copyOf(grown)
    const { tokens, revocation, rows } = await node(backend)
    const bad = { parse: () => true }
    const intents = rows.view('ns/root/tokens/intent/')
    // Intents of two trees, of which the first can't be swept: a child's row is damaged.
    await tokens.children.transaction(async (tx) => {
      tx.create(intents, '0'.repeat(64), {})
      tx.create(tokens.children, `${'0'.repeat(64)}/broken`, {})
      tx.create(tokens.ids, 'broken', { format: 1 })
      tx.create(intents, 'f'.repeat(64), {})
    })
    await expect(revocation.resume(noGuard, never)).rejects.toThrow('does not have the expected form')
    expect(await intents.get('0'.repeat(64), bad)).toBe(true)
    expect(await intents.get('f'.repeat(64), bad)).toBeUndefined()
  })
})
