import { describe, expect, it } from 'vitest'
import { ApiError, type KubeClient } from '../../../kube/client.ts'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { applyDefinitions } from './definitions.ts'

const owner = { apiVersion: 'v1', kind: 'Namespace', name: 'coffer-dev-1', uid: 'u' }
const definition = (labels: object) => ({ metadata: { uid: 'seen', labels } })
const ours = definition({ 'app.kubernetes.io/managed-by': 'coffer-dev' })
const theirs = definition({ 'app.kubernetes.io/managed-by': 'Helm' })

/** `seen`: what each look finds. */
function cluster(seen: (object | undefined)[], createFails = false) {
  const applied: any[] = []
  let created = 0
  const kube = {
    get: async () => (seen.length > 1 ? seen.shift() : seen[0]),
    create: async () => {
      if (createFails) throw new ApiError(409, 'AlreadyExists', 'is there')
      created += 1
    },
    apply: async (_type: unknown, object: unknown) => void applied.push(object),
    raw: async () => ({ status: 200, body: '' }),
  } as unknown as KubeClient
  const marks = { id: '1', name: 'coffer-dev-1', owner }
  const signal = new AbortController().signal
  const done = applyDefinitions({ kube, clock: new FakeClock(), marks, foreign: [], signal })
  return { done, applied, created: () => created }
}

describe('definitions that nobody had when we looked', () => {
  it('are created', async () => {
    const { done, applied, created } = cluster([undefined])
    await done
    expect([created(), applied]).toEqual([2, []])
  })

  it.each([
    ['before ours', [theirs], false],
    ['at the same moment', [undefined, theirs], true],
  ])('are left alone when somebody else makes them %s', async (_when, seen, createFails) => {
    const { done, applied } = cluster(seen, createFails)
    await expect(done).rejects.toThrow('made by somebody else meanwhile and is left alone')
    expect(applied).toEqual([])
  })

  it('and are shared with another run, but only that very object', async () => {
    const { done, applied } = cluster([ours])
    await done
    expect(applied.map(({ metadata }) => [metadata.uid, metadata.ownerReferences])).toEqual([
      ['seen', [owner]],
      ['seen', [owner]],
    ])
  })
})
