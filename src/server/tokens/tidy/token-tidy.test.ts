import { beforeEach, describe, expect, it } from 'vitest'
import { noGuard } from '../../contracts/due-rows.ts'
import type { StorageBackend } from '../../contracts/storage.ts'
import { crashing } from '../../storage/test-crashing.ts'
import { copyOf, count, grow, initialised, type Node, never, node, traces } from '../test-tree.ts'

let backend: StorageBackend
let first: Node
let parent: string
let child: string

/** Rows that name tokens which are not there, of each kind, more than a page of one. */
async function litter({ tokens, rows, cubbyholes }: Node): Promise<void> {
  await tokens.children.transaction(async (tx) => {
    tx.create(tokens.accessors('root'), 'gone', { id: 'gone', accessor: 'gone' })
    tx.create(tokens.accessors('root'), 'other', { id: parent, accessor: 'of-another-life' })
    tx.create(tokens.children, `${parent}/gone`, {})
    tx.create(tokens.logins, 'mount/gone', {})
    for (let i = 0; i < 120; i += 1) tx.create(tokens.uses, `gone-${i}`, { left: 1 })
  })
  for (let i = 0; i < 130; i += 1)
    await rows.view('').transaction(async (tx) => tx.create(cubbyholes, `gone-${i}/x`, { secret: 'x' }))
}

beforeEach(async () => {
  backend = await initialised()
  first = await node(backend)
  parent = await grow(first, { numUses: 3 })
  child = await grow(first, { parent })
})

describe('tidy', () => {
  it('takes away what names tokens that are gone, and nothing else', async () => {
    const before = await backend.list('', { depth: 'all', limit: 1000 })
    await litter(first)
    expect(await first.revocation.tidy.request('root')).toBe(true)
    expect(await first.revocation.tidy.request('root')).toBe(false)
    await first.revocation.resume(noGuard, never)
    expect(await backend.list('', { depth: 'all', limit: 1000 })).toEqual(before)
    expect(await first.revocation.tidy.request('root')).toBe(true)
  })

  it('goes on where a process died', async () => {
    const before = await backend.list('', { depth: 'all', limit: 1000 })
    await litter(first)
    await first.revocation.tidy.request('root')
    for (const at of [0, 1, 3, 5, 60, 137]) {
      const copy = await copyOf(backend)
      const dying = await node(crashing(copy, at, at % 2 === 0 ? 'before' : 'after'))
      await expect(dying.revocation.resume(noGuard, never)).rejects.toThrow('the process died here')
      await (await node(copy)).revocation.resume(noGuard, never)
      expect(await copy.list('', { depth: 'all', limit: 1000 })).toEqual(before)
    }
  })

  it('revokes children whose parent is gone without a trace', async () => {
    const { tokens, revocation } = first
    await tokens.ids.transaction(async (tx) => tx.remove(tokens.ids, parent))
    await revocation.tidy.request('root')
    await revocation.resume(noGuard, never)
    expect(await tokens.find(child)).toBeUndefined()
    expect(await traces(backend, [child])).toEqual([])
    expect(await count(backend, 'ns/root/tokens/uses/')).toBe(0)
  })

  it('asked for in another namespace looks at its accessors alone', async () => {
    const { tokens, revocation } = first
    await litter(first)
    const view = tokens.accessors('aB3dE9')
    await view.transaction(async (tx) => tx.create(view, 'gone', { id: 'gone', accessor: 'x.aB3dE9' }))
    await revocation.tidy.request('aB3dE9')
    await revocation.resume(noGuard, never)
    expect(await count(backend, 'ns/aB3dE9/')).toBe(0)
    expect(await count(backend, 'ns/root/tokens/uses/')).toBe(121)
  })

  it('stops when it loses the lead', async () => {
    await litter(first)
    await first.revocation.tidy.request('root')
    const replaced = async () => {
      throw new Error('another process leads')
    }
    await expect(first.revocation.resume(replaced, never)).rejects.toThrow('another process leads')
    expect(await count(backend, 'ns/root/tokens/uses/')).toBe(121)
  })
})

it('a mount ends although rows of its logins point at nothing', async () => {
  const { tokens, revocation } = first
  for (let i = 0; i < 130; i += 1) {
    await tokens.logins.transaction(async (tx) => tx.create(tokens.logins, `door/gone-${i}`, {}))
  }
  await revocation.revokeByMount('door', AbortSignal.timeout(10_000))
  expect(await count(backend, 'ns/root/tokens/login/')).toBe(0)
})
