import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from './test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
  expect((await server.call('POST', 'sys/audit/t', { type: 'test' })).status).toBe(204)
  server.device.lines.length = 0
})
afterEach(() => server.close())

/** Type, operation, path and error of the lines. */
const lines = () =>
  server.device.lines.map((line) => {
    const request = line['request'] as Record<string, unknown>
    return [line['type'], request['operation'], request['path'], line['error']].filter((part) => part !== undefined)
  })

describe('audit', () => {
  it('has two lines for each request, reads and writes', async () => {
    await server.call('POST', 'test/row/a', { password: 'canary-value' })
    await server.call('GET', 'test/row/a')
    expect(lines()).toEqual([
      ['request', 'create', 'test/row/a'],
      ['response', 'create', 'test/row/a'],
      ['request', 'read', 'test/row/a'],
      ['response', 'read', 'test/row/a'],
    ])
    expect(JSON.stringify(server.device.lines)).not.toContain('canary-value')
    expect(JSON.stringify(server.device.lines)).not.toContain(server.root)
  })

  it('has both lines of a denial', async () => {
    const token = await server.token(['default'])
    server.device.lines.length = 0
    await server.call('GET', 'test/row/a', undefined, token)
    await server.call('GET', 'test/row/a', undefined, 'wrong')
    const error = expect.stringContaining('permission denied')
    expect(lines()).toEqual([
      ['request', 'read', 'test/row/a', error],
      ['response', 'read', 'test/row/a', error],
      ['request', 'read', 'test/row/a', error],
      ['response', 'read', 'test/row/a', error],
    ])
  })

  it('says nothing of health, seal-status, leader and init', async () => {
    for (const path of ['sys/health', 'sys/seal-status', 'sys/leader', 'sys/init']) await server.call('GET', path)
    expect(lines()).toEqual([])
  })

  it('that refuses the request line lets nothing happen', async () => {
    server.device.refuse = (line) => line['type'] === 'request'
    expect((await server.call('POST', 'test/row/a', { n: 1 })).status).toBe(500)
    server.device.refuse = () => false
    expect((await server.call('GET', 'test/row/a')).status).toBe(404)
  })

  it('that refuses the response line of a read lets nothing out', async () => {
    await server.call('POST', 'test/row/a', { n: 'canary' })
    server.device.refuse = (line) => line['type'] === 'response'
    const answer = await server.call('GET', 'test/row/a')
    expect(answer).toMatchObject({ status: 500, body: { errors: ['internal error'] } })
    server.device.refuse = () => false
  })

  it('that refuses the response line of a creation revokes the token', async () => {
    const before = await server.call('LIST', 'auth/token/accessors')
    server.device.refuse = (line) => line['type'] === 'response'
    expect((await server.call('POST', 'auth/token/create', { policies: ['default'] })).status).toBe(500)
    server.device.refuse = () => false
    expect((await server.call('LIST', 'auth/token/accessors')).body.data).toEqual(before.body.data)
  })

  it('that refuses the response line of a lease revokes it', async () => {
    server.device.refuse = (line) => line['type'] === 'response'
    expect((await server.call('GET', 'test/creds/db')).status).toBe(500)
    server.device.refuse = () => false
    expect(server.world.revoked).toEqual(['db'])
    expect((await server.call('LIST', 'sys/leases/lookup/test/creds/db')).status).toBe(404)
  })

  it('that refuses the response line of a lease revokes it later, if it fails now', async () => {
    server.device.refuse = (line) => line['type'] === 'response'
    server.world.failRevocations = 1
    expect((await server.call('GET', 'test/creds/db')).status).toBe(500)
    server.device.refuse = () => false
    expect(server.world.revoked).toEqual([])
    await server.clock.advance(12_000)
    expect(server.world.revoked).toEqual(['db'])
  })

  it('device enabled on one node takes the lines of the other from the next request', async () => {
    const other = await server.another()
    await server.call('DELETE', 'sys/audit/t')
    server.device.lines.length = 0
    await other.call('GET', 'test/row/a')
    expect(lines()).toEqual([])
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    server.device.lines.length = 0
    await other.call('GET', 'test/row/b')
    expect(lines().map((line) => line[2])).toEqual(['test/row/b', 'test/row/b'])
    await other.close()
  })
})
