import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const preflight = (path: string, token?: string) =>
  server.call('GET', `sys/internal/ui/mounts/${path}`, undefined, token)

const refusal = (path: string) => ({
  status: 403,
  body: {
    errors: [
      `preflight capability check returned 403, please ensure client's policies grant access to path "${path}/"`,
    ],
  },
})

describe('the preflight of a path in a namespace below', () => {
  beforeEach(async () => {
    for (const path of ['sys/namespaces/team', 'team/sys/namespaces/app']) await server.call('POST', path)
    for (const path of ['team/sys/mounts/mine', 'team/sys/mounts/other', 'team/app/sys/mounts/deep']) {
      expect((await server.call('POST', path, { type: 'test' })).status).toBe(204)
    }
  })

  it('finds the mount, by the path that leads there from here', async () => {
    expect((await preflight('team/mine/a/b')).body.data).toMatchObject({ type: 'test', path: 'team/mine/' })
    expect((await preflight('team/mine')).body.data).toMatchObject({ path: 'team/mine/' })
    expect((await preflight('team/app/deep/x')).body.data).toMatchObject({ path: 'team/app/deep/' })
    const inTeam = await server.call('GET', 'team/sys/internal/ui/mounts/app/deep/x')
    expect(inTeam.body.data).toMatchObject({ path: 'app/deep/' })
    expect((await preflight('test/x')).body.data).toMatchObject({ path: 'test/' })
  })

  it('says of what is not there and of what policies do not reach the same', async () => {
    await server.policy(
      'mine',
      'path "team/mine/a" { capabilities = ["read"] } path "other/*" { capabilities = ["read"] }',
    )
    const token = await server.token(['mine'])
    expect((await preflight('team/mine/b', token)).body.data).toMatchObject({ path: 'team/mine/' })
    for (const path of ['team/other/b', 'team/nothing/b', 'team/app/deep/b', 'team'])
      expect(await preflight(path, token)).toMatchObject(refusal(path))
    expect(await preflight('team/nothing/b')).toMatchObject(refusal('team/nothing/b'))
  })

  it('shows nothing to who has no token', async () => {
    expect(await preflight('team/mine/a', '')).toMatchObject({ status: 403, body: { errors: ['permission denied'] } })
  })

  it('ends with the namespace', async () => {
    await server.call('DELETE', 'team/sys/namespaces/app')
    expect(await preflight('team/app/deep/x')).toMatchObject(refusal('team/app/deep/x'))
  })
})
