import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestServer } from '../../../pipeline/test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

const keyStatus = async () => (await server.call('GET', 'sys/key-status')).body
const day = 86_400_000

describe('the key that rows are encrypted with', () => {
  it('is shown beside the envelope and in it, and changes when asked', async () => {
    const before = await keyStatus()
    expect(before).toMatchObject({ term: 1, encryptions: expect.any(Number), data: { term: 1 } })
    expect(before.encryptions).toBeGreaterThan(0)
    expect(before.install_time).toMatch(/^2026-01-02T03:04:05Z$/)
    await server.call('POST', 'test/row/a', { v: 1 })
    for (const path of ['sys/rotate', 'sys/rotate/keyring']) expect((await server.call('PUT', path)).status).toBe(204)
    expect(await keyStatus()).toMatchObject({ term: 3, encryptions: 0 })
    expect((await server.call('GET', 'test/row/a')).body.data).toEqual({ v: 1 })
  })

  it('is changed with sudo only', async () => {
    await server.policy('p', 'path "sys/rotate*" { capabilities = ["update", "read"] }')
    const token = await server.token(['p'])
    for (const path of ['sys/rotate', 'sys/rotate/keyring', 'sys/rotate/root', 'sys/rotate/config']) {
      expect((await server.call('PUT', path, {}, token)).status).toBe(403)
    }
    expect((await server.call('GET', 'sys/rotate/config', undefined, token)).status).toBe(200)
    expect((await keyStatus()).term).toBe(1)
  })
})

describe('rotation by itself', () => {
  it('is configured in part, within bounds', async () => {
    const config = async () => (await server.call('GET', 'sys/rotate/config')).body.data
    expect(await config()).toEqual({ enabled: true, max_operations: 3_865_470_566, interval: 0 })
    expect((await server.call('POST', 'sys/rotate/config', { interval: '25h30m' })).status).toBe(204)
    expect(await config()).toEqual({ enabled: true, max_operations: 3_865_470_566, interval: '25h30m0s' })
    await server.call('POST', 'sys/rotate/keyring/config', { enabled: false, max_operations: 1_000_000 })
    expect(await config()).toEqual({ enabled: false, max_operations: 1_000_000, interval: '25h30m0s' })
    for (const [body, error] of [
      [{ interval: '23h' }, 'interval must be greater or equal to 24h0m0s'],
      [{ max_operations: 5 }, 'max_operations must be in the range [1000000,3865470566]'],
      [{ max_operations: 3_865_470_567 }, 'max_operations must be in the range [1000000,3865470566]'],
    ] as const) {
      const answer = await server.call('POST', 'sys/rotate/config', body)
      expect(answer).toMatchObject({ status: 400, body: { errors: [error] } })
    }
    expect((await server.call('POST', 'sys/rotate/config', { max_operations: 'many' })).status).toBe(400)
  })

  it('comes with age, once for all nodes, and not when it is off', async () => {
    const other = await server.another()
    await server.call('POST', 'sys/rotate/config', { interval: '24h', enabled: false })
    await server.clock.advance(day + 120_000)
    expect((await keyStatus()).term).toBe(1)
    await server.call('POST', 'sys/rotate/config', { enabled: true })
    await server.clock.advance(130_000)
    expect((await keyStatus()).term).toBe(2)
    await server.clock.advance(130_000)
    expect((await keyStatus()).term).toBe(2)
    await other.close()
  }, 60_000)

  it('comes with the number of encryptions', async () => {
    const { rotation } = server.core.seal
    const many = { ...(await rotation.status()), encryptions: 1_000_000 }
    await rotation.configure({ maxOperations: 1_000_000 })
    expect(await rotation.rotateIfDue()).toBe(false)
    rotation.status = async () => many
    expect(await rotation.rotateIfDue()).toBe(true)
    Reflect.deleteProperty(rotation, 'status')
    expect((await keyStatus()).term).toBe(2)
  })
})

describe('the nodes', () => {
  it('are listed, and one can give up the housekeeping', async () => {
    const answer = await server.call('GET', 'sys/ha-status')
    expect(answer.body.nodes).toHaveLength(1)
    expect(answer.body.data.nodes[0]).toMatchObject({ active_node: true, last_echo: null })
    expect((await server.call('PUT', 'sys/step-down')).status).toBe(204)
    expect((await server.call('GET', 'test/row/none')).status).toBe(404)
    await server.policy('p', 'path "sys/step-down" { capabilities = ["update"] }')
    expect((await server.call('PUT', 'sys/step-down', {}, await server.token(['p']))).status).toBe(403)
  })
})
