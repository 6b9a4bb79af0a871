/** The stop of a server of one process; with workers: workers-lifecycle.test.ts. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import WebSocket from 'ws'
import { startServer, type TestServer } from './server-process.ts'

let server: TestServer

beforeAll(async () => {
  server = await startServer({ stanzas: 'shutdown_timeout = "500ms"\n' })
})
afterAll(() => server?.close())

it('comes to its end with status 0, whatever clients do: silent ones at once, those in the middle of a request when the time is up', async () => {
  const { hostname, port } = new URL(server.url)
  const begin = async (words: string) => {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {}).resume()
    await once(socket, 'connect')
    socket.write(words)
    return { socket, ended: once(socket, 'close') }
  }
  const silent = await begin('')
  const halfHead = await begin('GET /v1/sys/health HTTP/1.1\r\nHo')
  const halfBody = await begin('POST /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{')
  const events = new WebSocket(`${server.url.replace('http', 'ws')}/v1/sys/events/subscribe/*?json=true`, {
    headers: { 'X-Vault-Token': server.rootToken },
  })
  await once(events, 'open')
  const followed = once(events, 'close')
  const ended: string[] = []
  void silent.ended.then(() => ended.push('silent'))
  void halfHead.ended.then(() => ended.push('half a head'))
  void halfBody.ended.then(() => ended.push('half a body'))
  expect(await server.kill('SIGTERM')).toBe(0)
  await Promise.all([silent.ended, halfHead.ended, halfBody.ended, followed])
  expect(ended[0]).toBe('silent')
  expect(ended).toHaveLength(3)
  expect(server.output()).toContain('"event":"stopped"')
  expect(server.output()).not.toContain('did not stop in time')
})
