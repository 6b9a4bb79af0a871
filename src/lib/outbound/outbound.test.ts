import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../fake-clock.ts'
import { systemRandom } from '../random.ts'
import { createCa, issueCertificate } from '../x509/certificates.ts'
import { createOutbound, type Dialer, type OutboundOptions } from './outbound.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void
async function listen(server: http.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}
const serve = (handler: Handler) => listen(http.createServer(handler))
const dialer = (options: OutboundOptions = { allow: ['127.0.0.0/8'] }): Dialer => {
  const made = createOutbound(options)
  closing.push(() => made.close())
  return made
}

it('sends what it is given and answers status, headers and body', async () => {
  const port = await serve((request, response) => {
    let body = ''
    request.on('data', (piece) => (body += piece))
    request.on('end', () => {
      response.setHeader('x-seen', `${request.method} ${request.url} ${request.headers['authorization']}`)
      response.writeHead(201).end(body)
    })
  })
  const answer = await dialer().request({
    url: `http://127.0.0.1:${port}/a?b=c`,
    method: 'POST',
    headers: { Authorization: 'Bearer x' },
    body: '{"é":1}',
  })
  expect(answer).toMatchObject({ status: 201, body: '{"é":1}' })
  expect(answer.headers['x-seen']).toBe('POST /a?b=c Bearer x')
})

describe('refuses', () => {
  it('loopback without leave, by address and by name', async () => {
    let asked = 0
    const port = await serve((_, response) => {
      asked += 1
      response.end()
    })
    const dnsLookup = async () => [{ address: '127.0.0.1', family: 4 }]
    const strict = dialer({ dnsLookup })
    await expect(strict.request({ url: `http://127.0.0.1:${port}/` })).rejects.toMatchObject({ kind: 'refused' })
    await expect(strict.request({ url: `http://innocent.example:${port}/` })).rejects.toMatchObject({ kind: 'refused' })
    await expect(strict.request({ url: `http://2130706433:${port}/` }), 'a number is an address').rejects.toMatchObject(
      { kind: 'refused' },
    )
    expect(asked).toBe(0)
  })

  it.each(['ftp://x/', 'file:///etc/passwd', 'not a url', 'https://user:pass@x/'])('%s', async (url) => {
    await expect(dialer().request({ url })).rejects.toMatchObject({ kind: 'refused' })
  })

  it('redirects to other hosts, and follows those of the same', async () => {
    const other = await serve((_, response) => response.end('other'))
    const port = await serve((request, response) => {
      if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${other}/` }).end()
      else if (request.url === '/here') response.writeHead(307, { location: '/end' }).end()
      else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end()
      else response.end('end')
    })
    const at = (path: string) => dialer().request({ url: `http://127.0.0.1:${port}${path}` })
    await expect(at('/away')).rejects.toMatchObject({ kind: 'redirect' })
    await expect(at('/loop')).rejects.toMatchObject({ kind: 'redirect' })
    expect((await at('/here')).body).toBe('end')
    const posted = await dialer().request({ url: `http://127.0.0.1:${port}/here`, method: 'POST', body: 'x' })
    expect(posted.status, 'a body is not sent twice').toBe(307)
  })

  it('answers that are too large', async () => {
    const port = await serve((_, response) => response.end('x'.repeat(5000)))
    await expect(dialer().request({ url: `http://127.0.0.1:${port}/`, maxBytes: 4999 })).rejects.toMatchObject({
      kind: 'too-large',
    })
    expect((await dialer().request({ url: `http://127.0.0.1:${port}/`, maxBytes: 5000 })).body).toHaveLength(5000)
  })
})

it('connects to the address that was judged: a name that changes its mind gains nothing', async () => {
  const port = await serve((_, response) => response.end('reached'))
  let lookups = 0
  const dnsLookup = async () => {
    lookups += 1
    return [
      { address: '169.254.169.254', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]
  }
  const answer = await dialer({ allow: ['127.0.0.1'], dnsLookup }).request({ url: `http://rebinding.example:${port}/` })
  expect(answer.body).toBe('reached')
  expect(lookups).toBe(1)
})

it('gives up in time, also in the middle of an answer', async () => {
  const arrived: (() => void)[] = []
  const port = await serve((request, response) => {
    if (request.url === '/half') response.write('half')
    arrived.shift()?.()
  })
  for (const path of ['/none', '/half']) {
    const clock = new FakeClock()
    const seen = new Promise<void>((resolve) => arrived.push(resolve))
    const asked = dialer({ allow: ['127.0.0.0/8'], clock }).request({
      url: `http://127.0.0.1:${port}${path}`,
      timeoutMs: 500,
    })
    const outcome = expect(asked).rejects.toMatchObject({ kind: 'timeout' })
    await seen
    await clock.advance(500)
    await outcome
  }
})

it('ends when its caller does', async () => {
  const abort = new AbortController()
  const port = await serve(() => abort.abort(new Error('caller left')))
  await expect(dialer().request({ url: `http://127.0.0.1:${port}/`, signal: abort.signal })).rejects.toThrow(
    'caller left',
  )
})

it('keeps connections, and tries once more when a kept one was closed', async () => {
  const sockets = new Set<unknown>()
  let drop = false
  const port = await serve((request, response) => {
    sockets.add(request.socket)
    if (drop) {
      drop = false
      request.socket.destroy()
    } else response.end('ok')
  })
  const kept = dialer()
  const ask = (method: string) => kept.request({ url: `http://127.0.0.1:${port}/`, method })
  await ask('POST')
  await ask('GET')
  expect(sockets.size).toBe(1)
  drop = true
  expect((await ask('GET')).body).toBe('ok')
  expect(sockets.size).toBe(2)
  drop = true
  await expect(ask('POST'), 'what may not happen twice is not sent twice').rejects.toMatchObject({
    kind: 'unreachable',
  })
})

it('names host and reason when nobody answers, nothing else', async () => {
  const port = await serve(() => {})
  for (const close of closing.splice(0)) await close()
  const failed = dialer().request({
    url: `http://127.0.0.1:${port}/canary-path`,
    headers: { authorization: 'canary-token' },
  })
  await expect(failed).rejects.toMatchObject({
    kind: 'unreachable',
    message: `127.0.0.1:${port} cannot be reached: ECONNREFUSED`,
  })
})

describe('TLS', () => {
  const made = { random: systemRandom, now: Date.now(), validForMs: 3_600_000 }
  const ca = createCa({ ...made, commonName: 'right' })
  const otherCa = createCa({ ...made, commonName: 'wrong' })
  const leaf = issueCertificate(ca, { ...made, commonName: 'server', ipAddresses: ['127.0.0.1'], server: true })

  it('counts only the roots that were given', async () => {
    const port = await listen(https.createServer({ key: leaf.keyPem, cert: leaf.certPem }, (_, r) => r.end('secure')))
    const url = `https://127.0.0.1:${port}/`
    expect((await dialer().request({ url, ca: ca.certPem })).body).toBe('secure')
    const failing = { kind: 'unreachable' }
    await expect(dialer().request({ url, ca: otherCa.certPem })).rejects.toMatchObject(failing)
    await expect(dialer().request({ url })).rejects.toMatchObject(failing)
    const dnsLookup = async () => [{ address: '127.0.0.1', family: 4 }]
    const named = dialer({ allow: ['127.0.0.0/8'], dnsLookup })
    await expect(named.request({ url: `https://other.example:${port}/`, ca: ca.certPem })).rejects.toMatchObject(
      failing,
    )
  })

  it('never reuses a connection made under other roots', async () => {
    const port = await listen(https.createServer({ key: leaf.keyPem, cert: leaf.certPem }, (_, r) => r.end('secure')))
    const one = dialer()
    const url = `https://127.0.0.1:${port}/`
    await one.request({ url, ca: ca.certPem })
    await expect(one.request({ url, ca: otherCa.certPem })).rejects.toMatchObject({ kind: 'unreachable' })
  })
})
