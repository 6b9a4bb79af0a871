import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../lib/clock.ts'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { socketAudit } from './socket.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-socket-audit-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const lines = (...texts: string[]) => texts.map((text) => Buffer.from(`${text}\n`))
const signal = new AbortController().signal

/** Collects what arrives. */
class Collector {
  text = ''
  readonly sockets = new Set<Socket>()
  readonly server: Server
  readonly #waiting = new Set<() => void>()

  constructor() {
    this.server = createServer((socket) => {
      this.sockets.add(socket)
      socket.on('error', () => {})
      socket.on('data', (bytes) => {
        this.text += bytes
        for (const check of this.#waiting) check()
      })
    })
  }

  async listen(where: { port: 0; host: string } | { path: string } | { port: number; host: string }) {
    this.server.listen(where)
    await once(this.server, 'listening')
    const address = this.server.address()
    return typeof address === 'string' ? address : `127.0.0.1:${(address as AddressInfo).port}`
  }

  got(text: string): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!this.text.includes(text)) return
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }

  async close() {
    for (const socket of this.sockets) socket.destroy()
    if (!this.server.listening) return
    this.server.close()
    await once(this.server, 'close')
  }
}

const collectors: Collector[] = []
const collector = () => {
  const made = new Collector()
  collectors.push(made)
  return made
}
afterEach(async () => {
  for (const made of collectors.splice(0)) await made.close()
})

describe('a stream', () => {
  it.each(['tcp', 'unix'])('over %s gets the lines in order', async (type) => {
    const there = collector()
    const address = await there.listen(
      type === 'tcp' ? { port: 0, host: '127.0.0.1' } : { path: join(dir, 'one.sock') },
    )
    const device = await socketAudit({ destinations: [address], clock: systemClock }).open({
      address,
      socket_type: type,
    })
    await device.write(lines('one', 'two'), signal)
    await device.write(lines('three'), signal)
    await there.got('three\n')
    expect(there.text).toBe('one\ntwo\nthree\n')
    await device.close()
  })

  it('that was lost is connected anew, at growing intervals', async () => {
    const there = collector()
    const address = await there.listen({ port: 0, host: '127.0.0.1' })
    const clock = new FakeClock()
    const device = await socketAudit({ destinations: [address], clock }).open({ address })
    await device.write(lines('one'), signal)
    await there.got('one')
    await there.close()
    // The end of the connection arrives at its own time: from then on each write dials.
    let failed: unknown
    while (!failed)
      failed = await device.write(lines('lost'), signal).then(
        () => undefined,
        (error: unknown) => error,
      )
    await device.write(lines('x'), signal).catch(() => {})
    await expect(device.write(lines('x'), signal)).rejects.toThrow('tried again later')
    const again = collector()
    await again.listen({ port: Number(address.split(':')[1]), host: '127.0.0.1' })
    await clock.advance(30_000)
    await device.write(lines('two'), signal)
    await again.got('two')
    await device.close()
  })

  it('that takes nothing fails after write_timeout, and keeps no more than one group', async () => {
    const there = collector()
    const address = await there.listen({ port: 0, host: '127.0.0.1' })
    there.server.on('connection', (socket) => socket.pause())
    const clock = new FakeClock()
    const device = await socketAudit({ destinations: [address], clock }).open({ address, write_timeout: '1s' })
    // More than what two kernels keep for a connection.
    const writing = device.write([Buffer.alloc(64 * 1024 * 1024, 0x61)], signal)
    const outcome = expect(writing).rejects.toThrow('took too long')
    await clock.advance(1000)
    await outcome
    await device.close()
  })

  it('ends with the signal', async () => {
    const there = collector()
    const address = await there.listen({ port: 0, host: '127.0.0.1' })
    const device = await socketAudit({ destinations: [address], clock: new FakeClock() }).open({ address })
    await expect(device.write(lines('late'), AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late')
    await device.close()
  })
})

it('UDP gets each line in a datagram; one that fits in none is refused', async () => {
  const there = createSocket('udp4')
  const got: string[] = []
  there.on('message', (bytes) => got.push(bytes.toString()))
  there.bind(0, '127.0.0.1')
  await once(there, 'listening')
  const address = `127.0.0.1:${there.address().port}`
  const device = await socketAudit({ destinations: [address], clock: systemClock }).open({
    address,
    socket_type: 'udp',
  })
  await device.write(lines('one', 'two'), signal)
  while (got.length < 2) await once(there, 'message')
  expect(got.sort()).toEqual(['one\n', 'two\n'])
  await expect(device.write([Buffer.alloc(70_000)], signal)).rejects.toThrow('longer than a datagram')
  await device.close()
  there.close()
})

describe('refused are', () => {
  const type = socketAudit({ destinations: ['127.0.0.1:9', '/run/x.sock', 'nonsense'], clock: new FakeClock() })
  it.each([
    [{}, 'address is required'],
    [{ address: '127.0.0.1:9', socket_type: 'sctp' }, 'socket_type must be tcp, udp or unix, not "sctp"'],
    [{ address: '127.0.0.1:9', write_timeout: 'x' }, 'write_timeout must be a duration such as 2s'],
    [{ address: '127.0.0.1:9', write_timeout: '-1s' }, 'write_timeout must be a duration such as 2s'],
    [
      { address: '127.0.0.1:22' },
      'address is not a destination that the server allows for audit devices (audit_destinations)',
    ],
    [{ address: 'nonsense' }, 'address must have the form host:port'],
    [{ address: 'nonsense', socket_type: 'unix' }, 'address must be the absolute path of a Unix socket'],
  ])('%j', async (options, message) => {
    await expect(type.open(options)).rejects.toMatchObject({ status: 400, message })
  })

  it('what nobody listens at', async () => {
    const there = collector()
    const address = await there.listen({ port: 0, host: '127.0.0.1' })
    await there.close()
    const opening = socketAudit({ destinations: [address], clock: new FakeClock() }).open({ address })
    await expect(opening).rejects.toMatchObject({
      status: 400,
      message: 'the audit socket cannot be connected (ECONNREFUSED)',
    })
  })
})
