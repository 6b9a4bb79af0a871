import { expect, it } from 'vitest'
import type { KubeObject } from '../../../../kube/client.ts'
import { FakeClock } from '../../../../lib/fake-clock.ts'
import { LogCallers } from './log-callers.ts'

function callers(answer: () => boolean | Error) {
  const asked: KubeObject[] = []
  const clock = new FakeClock()
  const post = async (_type: unknown, _ref: unknown, _subresource: unknown, body: KubeObject): Promise<any> => {
    asked.push(body)
    const said = answer()
    if (said instanceof Error) throw said
    return { ...body, status: { allowed: said } }
  }
  return { asked, clock, callers: new LogCallers({ client: { post }, nodeName: 'n1', clock }) }
}
const reader = { name: 'reader', organizations: ['team'] }

it('asks the API server for nodes/proxy, as a member of the groups of the certificate', async () => {
  const { asked, callers: one } = callers(() => true)
  expect(await one.mayRead(reader)).toBe(true)
  expect(asked[0]?.['spec']).toEqual({
    user: 'reader',
    groups: ['team', 'system:authenticated'],
    resourceAttributes: { verb: 'get', version: 'v1', resource: 'nodes', subresource: 'proxy', name: 'n1' },
  })
})

it('remembers a yes for 5 min and a no for 30 s', async () => {
  let allowed = true
  const { asked, clock, callers: one } = callers(() => allowed)
  await one.mayRead(reader)
  allowed = false
  await clock.advance(299_000)
  expect(await one.mayRead(reader)).toBe(true)
  await clock.advance(1000)
  expect(await one.mayRead(reader)).toBe(false)
  allowed = true
  await clock.advance(29_000)
  expect(await one.mayRead(reader)).toBe(false)
  await clock.advance(1000)
  expect(await one.mayRead(reader)).toBe(true)
  expect(asked).toHaveLength(3)
})

it('lets nobody in on a guess, and asks again', async () => {
  const { asked, callers: one } = callers(() => new Error('no answer'))
  await expect(one.mayRead(reader)).rejects.toThrow('no answer')
  await expect(one.mayRead(reader)).rejects.toThrow('no answer')
  expect(asked).toHaveLength(2)
})

it('does not ask about system:masters, whom nothing is refused', async () => {
  const { asked, callers: one } = callers(() => false)
  expect(await one.mayRead({ name: 'apiserver', organizations: ['system:masters'] })).toBe(true)
  expect(asked).toEqual([])
})
