import { expect, it } from 'vitest'
import { systemRandom } from '../../lib/random.ts'
import { TestServer } from '../pipeline/test-server.ts'
import { openMemory } from '../storage/memory/memory.ts'

it('what is wrapped for so short a time that its token is gone first is refused and leaves nothing behind', async () => {
  let before: (() => Promise<unknown>) | undefined
  const server = await TestServer.start((clock) => {
    const backend = openMemory({ clock, random: systemRandom })
    const commit = backend.commit.bind(backend)
    return Object.assign(backend, {
      commit: async (c: Parameters<typeof commit>[0]) => {
        const rows = [...(c.put ?? []), ...(c.create ?? [])]
        const run = rows.some(({ key }) => /^cubbyhole.*response$/.test(key)) ? before : undefined
        if (run) before = undefined
        await run?.()
        return commit(c)
      },
    })
  })
  // The sweep ends the token between its commit and that of what it opens.
  before = async () => {
    for (let i = 0; i < 5; i += 1) await server.clock.advance(1000)
  }
  const wrapping = server.call('POST', 'sys/wrapping/wrap', { a: 'canary' }, undefined, { 'X-Vault-Wrap-TTL': '1s' })
  for (let i = 0; i < 100; i += 1) {
    await server.clock.advance(10)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await wrapping).status).toBe(403)
  expect(before).toBeUndefined()
  expect(await server.backend.list('cubbyhole/', { depth: 'all', limit: 10 })).toEqual([])
  await server.close()
})
