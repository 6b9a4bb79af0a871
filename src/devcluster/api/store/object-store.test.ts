import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/client.ts'
import { ObjectStore } from './object-store.ts'

const object = (name: string, note = ''): KubeObject => ({ apiVersion: 'v1', kind: 'Thing', metadata: { name }, note })
const names = (objects: readonly KubeObject[] | undefined) => objects?.map((o) => `${o.metadata.name}${o['note']}`)

describe('the object store', () => {
  it('writes only over the state that the writer saw', () => {
    const store = new ObjectStore({ historyEvents: 10 })
    const first = store.put('things', object('a'), undefined)
    expect(store.put('things', object('a'), undefined)).toBeUndefined()
    const second = store.put('things', object('a', '2'), first)
    expect(second?.metadata.resourceVersion).toBe(String(store.version))
    expect(store.put('things', object('a', '3'), first)).toBeUndefined()
    expect(first && store.remove('things', first)).toBeUndefined()
    expect(second && store.remove('things', second)?.metadata.resourceVersion).toBe(String(store.version))
    expect(store.list('things')).toEqual([])
  })

  it('knows every state within its history, and says when it does not', () => {
    const write = fc.record({ name: fc.constantFrom('a', 'b', 'c'), remove: fc.boolean() })
    fc.assert(
      fc.property(fc.array(write, { maxLength: 30 }), (writes) => {
        const store = new ObjectStore({ historyEvents: 8 })
        const states = new Map([[store.version, names(store.list('things'))]])
        for (const [index, { name, remove }] of writes.entries()) {
          const before = store.get('things', undefined, name)
          if (remove && before) store.remove('things', before)
          else if (!remove) store.put('things', object(name, String(index)), before)
          states.set(store.version, names(store.list('things')))
        }
        for (const [version, state] of states)
          expect(names(store.listAt('things', version))).toEqual(version >= store.oldest ? state : undefined)
      }),
    )
  })

  it('tells listeners of each change in order', () => {
    const store = new ObjectStore({ historyEvents: 10 })
    const seen: string[] = []
    const stop = store.subscribe(({ type, version }) => seen.push(`${type} ${version}`))
    const made = store.put('things', object('a'), undefined)
    const changed = made && store.put('things', object('a', 'x'), made)
    if (changed) store.remove('things', changed)
    stop()
    store.put('things', object('b'), undefined)
    expect(seen).toEqual(['ADDED 2', 'MODIFIED 3', 'DELETED 4'])
  })
})
