import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { createTerminal } from '../terminal.ts'
import { JoinedCluster } from './join.ts'

/** A cluster with one namespace at most; `answer` is what its maker hears. */
function joining(answer: (made: object) => Promise<object>) {
  let held: any
  const kube: any = {
    create: (_type: unknown, object: any) => {
      held = { ...object, metadata: { ...object.metadata, uid: 'u' } }
      return answer(held)
    },
    get: async ({ plural }: { plural: string }) => (plural === 'namespaces' ? held : undefined),
    list: async () => ({ items: [] }),
    delete: async ({ plural }: { plural: string }) => {
      if (plural === 'namespaces') held = undefined
    },
  }
  const given: any = { kube, runId: '1a2b3c4d', config: { server: 'https://k' } }
  const terminal = createTerminal({ write: () => true } as any, {})
  const environment: any = { dir: '/nowhere' }
  const joined = new JoinedCluster({ given, environment, supervisor: {} as any, terminal, clock: new FakeClock() })
  return { joined, namespace: () => held }
}

it('an end during the beginning waits for the namespace that is being made, and removes it', async () => {
  let respond = () => {}
  const { joined, namespace } = joining((made) => new Promise((resolve) => (respond = () => resolve(made))))
  const join = joined.join().catch((error: unknown) => error)
  const left = joined.leave()
  respond()
  expect(await left).toBe(true)
  expect(namespace()).toBeUndefined()
  expect(await join).toMatchObject({ message: 'the run ends' })
})

it('a namespace that was made without an answer is found and removed', async () => {
  const { joined, namespace } = joining(() => Promise.reject(new Error('connection reset')))
  await expect(joined.join()).rejects.toThrow('connection reset')
  expect(namespace()).toBeDefined()
  expect(await joined.leave()).toBe(true)
  expect(namespace()).toBeUndefined()
})
