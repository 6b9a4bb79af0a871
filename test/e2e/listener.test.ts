/** A listener that closes waits for what is under way, and for nothing else. */

import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { plain } from '../../src/server/http/handler.ts'
import { listen } from '../../src/server/http/listener.ts'

const whole = (closed: Promise<void>) => closed

it('a connection that is kept alive ends with the answer that was under way', async () => {
  let begun = () => {}
  const started = new Promise<void>((resolve) => {
    begun = resolve
  })
  let answer = () => {}
  const held = new Promise<void>((resolve) => {
    answer = resolve
  })
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: async () => {
      begun()
      await held
      return plain(404, [])
    },
  })
  const agent = new Agent({ keepAlive: true })
  const sent = request(`${listener.address}/v1/a`, { agent })
  sent.end()
  await started
  const closed = listener.close(whole)
  answer()
  const [response] = await once(sent, 'response')
  expect(response.resume().statusCode).toBe(404)
  await closed
  agent.destroy()
})

it('an upgrade that is asked for while it closes is cut', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0, handler: () => new Promise(() => {}) })
  const { port } = new URL(listener.address)
  const socket = connect(Number(port), '127.0.0.1')
  await once(socket, 'connect')
  // Half a request keeps the connection from being idle.
  socket.write('GET /v1/sys/events/subscribe/kv-v2/* HTTP/1.1\r\nHost: x\r\n')
  const closed = listener.close(async (until) => {
    socket.write('Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await until
  })
  await Promise.all([once(socket, 'close'), closed])
})
