import { afterEach, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../kube/client.ts'
import { createInProcessClient } from '../../kube/in-process-client.ts'
import { FakeClock } from '../../lib/fake-clock.ts'
import { type Logger, silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import { ApiServer } from './api-server.ts'

const canary = 'canary-7f3a9'
const servers: ApiServer[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

function start() {
  const clock = new FakeClock()
  const lines: string[] = []
  const note = (event: string, fields?: object) => void lines.push(JSON.stringify([event, fields]))
  const log: Logger = { debug: note, info: note, warn: note, error: note, with: () => log }
  const server = new ApiServer({ clock, random: systemRandom, caPem: 'ca', adminToken: 'admin', log })
  servers.push(server)
  const client = createInProcessClient((request) => server.handle(request), {
    clock,
    random: systemRandom,
    log: silentLog,
    headers: { authorization: 'Bearer admin' },
  })
  return { clock, server, client, lines }
}
const secrets = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true }
const events = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true }
const secret = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'default' },
  stringData: { value: canary },
})

describe('the API server without sockets', () => {
  it('works with our own client', async () => {
    const { client } = start()
    await client.create(secrets, secret('a'))
    const found = await client.get(secrets, { namespace: 'default', name: 'a' })
    expect(found?.['data']).toEqual({ value: Buffer.from(canary).toString('base64') })
    await expect(client.create(secrets, secret('a'))).rejects.toMatchObject({ status: 409, reason: 'AlreadyExists' })
    expect(await client.get(secrets, { namespace: 'default', name: 'none' })).toBeUndefined()
  })

  it('tells watchers, and ends their watches when it closes', async () => {
    const { client, server } = start()
    const headers = { authorization: 'Bearer admin' }
    const query = new URLSearchParams({ watch: 'true' })
    const answer = await server.handle({ method: 'GET', path: '/api/v1/secrets', query, headers })
    const seen: string[] = []
    const reading = (async () => {
      for await (const chunk of answer.body) seen.push(chunk)
    })()
    await client.create(secrets, secret('watched'))
    server.close()
    await reading
    expect(seen.join('')).toContain('"type":"ADDED"')
  })

  it('forgets events after an hour', async () => {
    const { client, clock } = start()
    const event = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      involvedObject: { kind: 'Secret', name: 'a', namespace: 'default' },
    })
    await client.create(events, event('old'))
    await clock.advance(3_601_000)
    await client.create(events, event('new'))
    const { items } = await client.list(events)
    expect(items.map((item) => item.metadata.name)).toEqual(['new'])
  })

  it('a failure inside is 500 to the client, and neither answer nor log holds what was sent', async () => {
    const { server, lines } = start()
    const body = new Proxy(Object('x'), {
      get: () => {
        throw new Error('broken')
      },
    })
    const headers = { authorization: 'Bearer admin' }
    const path = '/api/v1/namespaces/default/secrets'
    const failing = await server.handle({ method: 'POST', path, query: new URLSearchParams(), headers, body })
    expect(failing.status).toBe(500)
    expect(failing.body).not.toContain('broken')
    expect(lines).toHaveLength(1)
    const bad = JSON.stringify({ ...secret('Bad_Name') })
    const refused = await server.handle({ method: 'POST', path, query: new URLSearchParams(), headers, body: bad })
    expect(refused.status).toBe(422)
    expect(refused.body + lines.join('')).not.toContain(canary)
  })

  it('impersonation is refused, not ignored', async () => {
    const { server } = start()
    const headers = { authorization: 'Bearer admin', 'impersonate-user': 'someone' }
    const answer = await server.handle({
      method: 'GET',
      path: '/api/v1/secrets',
      query: new URLSearchParams(),
      headers,
    })
    expect(answer.status).toBe(403)
  })

  it.each([
    '/api/v1/namespaces/default/secrets/%E0%A4%A',
    '/api/v1/namespaces/default/pods/x/log/y',
    '/apis',
    '/nothing',
  ])('%s is answered, whatever it is', async (path) => {
    const { server } = start()
    const headers = { authorization: 'Bearer admin' }
    const { status } = await server.handle({ method: 'GET', path, query: new URLSearchParams(), headers })
    expect([200, 400, 404]).toContain(status)
  })
})
