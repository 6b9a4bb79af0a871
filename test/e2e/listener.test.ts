/** A listener that closes waits for what is under way, and for nothing else. */

import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, it } from 'vitest'
import { systemRandom } from '../../src/lib/random.ts'
import { createCa, issueCertificate } from '../../src/lib/x509/certificates.ts'
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

it('a request that offers HTTP/2 beside it is answered like others, begun before it closes or after', async () => {
  let answer = () => {}
  const held = new Promise<void>((resolve) => {
    answer = resolve
  })
  const begun: string[] = []
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    handler: async ({ target }) => {
      begun.push(target)
      if (target === '/v1/before') await held
      return plain(404, [])
    },
  })
  const begin = async (words: string) => {
    const socket = connect(Number(new URL(listener.address).port), '127.0.0.1')
    let said = ''
    socket.on('data', (data) => {
      said += data
    })
    const ended = once(socket, 'close')
    await once(socket, 'connect')
    socket.write(words)
    return { socket, ended, said: () => said }
  }
  const offer = 'Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}'
  const after = await begin('PUT /v1/after HTTP/1.1\r\nHost: x\r\n')
  const before = await begin(`PUT /v1/before HTTP/1.1\r\nHost: x\r\n${offer}`)
  await expect.poll(() => begun).toEqual(['/v1/before'])
  const closed = listener.close(async (until) => {
    after.socket.write(offer)
    await after.ended
    answer()
    await until
  })
  await Promise.all([before.ended, after.ended, closed])
  expect([before, after].map(({ said }) => said().split('\r\n')[0])).toEqual([
    'HTTP/1.1 404 Not Found',
    'HTTP/1.1 404 Not Found',
  ])
})

function certificate() {
  const life = { random: systemRandom, now: Date.now(), validForMs: 3_600_000 }
  const ca = createCa({ ...life, commonName: 'ca' })
  const { certPem, keyPem } = issueCertificate(ca, {
    ...life,
    ...{ commonName: 'listener', server: true, ipAddresses: ['127.0.0.1'] },
  })
  return { cert: certPem, key: keyPem }
}

/** The listener has answered a request, so it has accepted what was connected before, too. */
async function accepted(port: number, tls: boolean): Promise<void> {
  const socket = tls ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1')
  socket.write('GET /v1/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
}

const quiet = (socket: Socket) => socket.on('error', () => {}).resume()

it('connections on which nothing was said do not hold up its end, before or after a TLS handshake', async () => {
  for (const tls of [undefined, certificate()]) {
    const listener = await listen({
      ...{ host: '127.0.0.1', port: 0, handler: async () => plain(404, []) },
      ...(tls ? { tls } : {}),
    })
    const port = Number(new URL(listener.address).port)
    const silent = quiet(connect(port, '127.0.0.1'))
    await once(silent, 'connect')
    const greeted = tls ? quiet(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })) : undefined
    if (greeted) await once(greeted, 'secureConnect')
    await accepted(port, tls !== undefined)
    const ends = [silent, ...(greeted ? [greeted] : [])].map((socket) => once(socket, 'close'))
    await listener.close(whole)
    await Promise.all(ends)
  }
})

it('a request that has arrived when it closes is answered, also if it is not read yet', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0, handler: async () => plain(404, ['late']) })
  const port = Number(new URL(listener.address).port)
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  await accepted(port, false)
  let said = ''
  socket.on('data', (data) => {
    said += data
  })
  socket.write('GET /v1/a HTTP/1.1\r\nHost: x\r\n\r\n')
  const closed = listener.close(whole)
  await once(socket, 'close')
  expect(said).toContain('late')
  await closed
})

it('what is still there when the time is up is cut, half a handshake too', async () => {
  const listener = await listen({
    ...{ host: '127.0.0.1', port: 0, handler: async () => plain(404, []), tls: certificate() },
  })
  const port = Number(new URL(listener.address).port)
  const half = quiet(connect(port, '127.0.0.1'))
  // The beginning of a ClientHello.
  half.write(Buffer.from([22, 3, 1, 2, 0, 1]))
  await accepted(port, true)
  const cut = once(half, 'close')
  let closed = false
  await listener.close(async (until) => {
    void until.then(() => {
      closed = true
    })
    await accepted(port, true).catch(() => undefined)
  })
  expect(closed).toBe(false)
  await cut
})
