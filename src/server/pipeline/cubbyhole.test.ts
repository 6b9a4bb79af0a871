import { expect, it } from 'vitest'
import { systemRandom } from '../../lib/random.ts'
import { openMemory } from '../storage/memory/memory.ts'
import { TestServer } from './test-server.ts'

it('a write to a cubbyhole that its token did not live to see leaves nothing behind', async () => {
  let before: (() => Promise<unknown>) | undefined
  const server = await TestServer.start((clock) => {
    const backend = openMemory({ clock, random: systemRandom })
    const commit = backend.commit.bind(backend)
    return Object.assign(backend, {
      commit: async (c: Parameters<typeof commit>[0]) => {
        const run = [...(c.put ?? []), ...(c.create ?? [])].some(({ key }) => key.startsWith('cubbyhole/'))
          ? before
          : undefined
        if (run) before = undefined
        await run?.()
        return commit(c)
      },
    })
  })
  const token = await server.token(['default'])
  before = () => server.call('POST', 'auth/token/revoke', { token })
  const write = server.call('PUT', 'cubbyhole/x', { a: 'canary' }, token)
  // The second attempt of a commit waits by the clock.
  for (let i = 0; i < 100; i += 1) {
    await server.clock.advance(10)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await write).status).toBe(403)
  expect(before).toBeUndefined()
  expect(await server.backend.list('cubbyhole/', { depth: 'all', limit: 10 })).toEqual([])
  await server.close()
})
