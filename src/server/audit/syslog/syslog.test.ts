import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { syslogAudit } from './syslog.ts'

const dir = mkdtempSync(join(tmpdir(), 'coffer-syslog-audit-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const lines = (...texts: string[]) => texts.map((text) => Buffer.from(`${text}\n`))
const signal = new AbortController().signal
const type = (destinations: string[]) =>
  syslogAudit({ destinations, clock: new FakeClock(Date.UTC(2026, 0, 2)), hostname: 'my host', pid: 7 })
const header = (pri: number, tag: string) => `<${pri}>1 2026-01-02T00:00:00.000Z my-host ${tag} 7 audit - `

it('UDP gets one RFC 5424 message in each datagram', async () => {
  const there = createSocket('udp4')
  const got: string[] = []
  there.on('message', (bytes) => got.push(bytes.toString()))
  there.bind(0, '127.0.0.1')
  await once(there, 'listening')
  const plain = `127.0.0.1:${there.address().port}`
  const device = await type([plain]).open({ address: `udp://${plain}` })
  await device.write(lines('{"a":1}', '{"b":2}'), signal)
  while (got.length < 2) await once(there, 'message')
  expect(got.sort()).toEqual([`${header(38, 'vault')}{"a":1}`, `${header(38, 'vault')}{"b":2}`])
  await expect(device.write([Buffer.alloc(70_000)], signal)).rejects.toThrow('longer than a datagram')
  await device.close()
  there.close()
})

it.each(['tcp', 'unix'])('%s gets framed messages, with the facility and tag that were asked for', async (kind) => {
  let text = ''
  const there = createServer((socket) => socket.on('data', (bytes) => (text += bytes)))
  there.listen(kind === 'tcp' ? { port: 0, host: '127.0.0.1' } : { path: join(dir, 'log') })
  await once(there, 'listening')
  const plain = kind === 'tcp' ? `127.0.0.1:${(there.address() as AddressInfo).port}` : join(dir, 'log')
  const address = kind === 'tcp' ? `tcp://${plain}` : plain
  const connected = once(there, 'connection')
  const device = await type([plain]).open({ address, facility: 'local3', tag: 'coffer' })
  const [socket] = await connected
  await device.write(lines('{"a":1}', '{}'), signal)
  await Promise.all([once(socket, 'close'), device.close()])
  const [one, two] = [`${header(158, 'coffer')}{"a":1}`, `${header(158, 'coffer')}{}`]
  expect(text).toBe(kind === 'tcp' ? `${one.length} ${one}${two.length} ${two}` : `${one}\n${two}\n`)
  there.close()
})

describe('refused are', () => {
  it.each([
    [{ facility: 'NEWSPAPER' }, /^facility must be one of KERN, .* not "NEWSPAPER"$/],
    [{ tag: 'two words' }, /^tag must have 1 to 48 visible ASCII characters$/],
    [{ address: 'udp://10.0.0.1:514' }, /audit_destinations/],
    [{ address: '/etc/passwd' }, /audit_destinations/],
    [{ address: 'http://x' }, /^address must be a path, udp:\/\/host:port or tcp:\/\/host:port$/],
    [{ address: '/run/none.sock' }, /^the syslog socket cannot be connected \(ENOENT\)$/],
  ])('%j', async (options, message) => {
    const opening = type(['http://x', '/run/none.sock']).open(options)
    await expect(opening).rejects.toMatchObject({ status: 400, message: expect.stringMatching(message) })
  })
})
