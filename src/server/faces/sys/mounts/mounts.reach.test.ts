import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

describe('the right to manage secrets engines', () => {
  it('is none to see or remove auth methods, which need sudo on sys/auth', async () => {
    await server.call('POST', 'sys/auth/door', { type: 'door' })
    await server.policy('mounts', 'path "sys/mounts/*" { capabilities = ["create", "read", "update", "delete"] }')
    const token = await server.token(['mounts'])
    expect((await server.call('DELETE', 'sys/auth/door', undefined, token)).status).toBe(403)
    expect(await server.call('DELETE', 'sys/mounts/auth/door', undefined, token)).toMatchObject({
      status: 400,
      body: { errors: ['cannot unmount "auth/door/"'] },
    })
    expect(await server.call('GET', 'sys/mounts/auth/door', undefined, token)).toMatchObject({
      status: 400,
      body: { errors: ['No secret engine mount at auth/door/'] },
    })
    expect((await server.call('GET', 'sys/auth')).body.data['door/']).toBeDefined()
    expect((await server.call('DELETE', 'sys/mounts/test', undefined, token)).status).toBe(204)
    expect((await server.call('DELETE', 'sys/auth/door')).status).toBe(204)
  })
})

describe('a mount', () => {
  it.each(['/', 'a//b', 'a/../b', 'a/.', '../a', 'a\u0000b', 'a\u202eb', 'a b', 'a*', `${'x'.repeat(512)}`])(
    'is not moved to %j, where no request could reach it',
    async (to) => {
      const moved = await server.call('POST', 'sys/remount', { from: 'test', to })
      expect(moved.status).toBe(400)
      expect(moved.body.errors[0]).toMatch(/^invalid mount path /)
      expect((await server.call('GET', 'sys/mounts')).body.data['test/']).toBeDefined()
    },
  )

  it('is moved to a path with dots in its names', async () => {
    expect((await server.call('POST', 'sys/remount', { from: 'test', to: 'a.b/..c/d..' })).status).toBe(200)
    expect((await server.call('LIST', 'a.b/..c/d../row')).status).toBe(404)
    expect((await server.call('POST', 'a.b/..c/d../row/x', { n: 1 })).status).toBe(204)
  })
})
