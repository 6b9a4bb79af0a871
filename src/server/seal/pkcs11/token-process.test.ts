import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { decodeRequest, encodeAnswer } from './token-message.ts'
import { askToken } from './token-process.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'coffer-token-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function until(met: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000
  while (!met()) {
    if (Date.now() > deadline) throw new Error('waited in vain')
    await systemClock.sleep(10)
  }
}

const running = new AbortController()
const answering = (answer: Buffer, then = '') =>
  `require('fs').writeSync(3, Buffer.from('${answer.toString('base64')}', 'base64'));${then}`
const hang = 'setInterval(() => {}, 1000)'

/** What a process that runs this script makes of a request. */
const ask = (script: string, more: { clock?: Clock; signal?: AbortSignal; message?: Buffer; env?: object } = {}) =>
  askToken(more.message ?? Buffer.from('request'), {
    command: [process.execPath, '-e', script],
    env: { PATH: process.env['PATH'], ...more.env },
    clock: more.clock ?? systemClock,
    deadlineMs: 30_000,
    signal: more.signal ?? running.signal,
  })

describe('the process for the token', () => {
  it('gets the request on its input, the environment that is meant for it, and answers beside its output', async () => {
    const script = `
      console.log('the library prints'); console.error('what it likes')
      let text = process.env.SOFTHSM2_CONF + ' '
      process.stdin.on('data', (d) => (text += d)).on('end', () => {
        const head = Buffer.alloc(5); head.writeUInt32BE(Buffer.byteLength(text), 1)
        require('fs').writeSync(3, Buffer.concat([head, Buffer.from(text)]))
      })`
    const message = Buffer.from('request')
    const answer = await ask(script, { message, env: { SOFTHSM2_CONF: '/etc/hsm' } })
    expect(answer.toString()).toBe('/etc/hsm request')
    expect(message.every((byte) => byte === 0)).toBe(true)
  })

  it('is waited for no longer than its answer takes', async () => {
    const stop = new AbortController()
    const answer = encodeAnswer({ bytes: Buffer.from('key') })
    expect((await ask(answering(answer, hang), { signal: stop.signal })).toString()).toBe('key')
    stop.abort()
  })

  it('passes on the words of what went wrong, and whether it was the PIN', async () => {
    for (const pin of [true, false]) {
      const failing = ask(answering(encodeAnswer({ fault: 'the PIN is wrong', pin })))
      await expect(failing).rejects.toMatchObject({ name: 'TokenFault', message: 'the PIN is wrong', pin })
    }
  })

  it('is killed when the token hangs, whatever it does about signals', async () => {
    const clock = new FakeClock()
    const file = join(folder, 'pid')
    const asking = ask(`require('fs').writeFileSync('${file}', process.pid + '.'); while (true);`, { clock })
    const failing = expect(asking).rejects.toThrow('did not answer within 30 s')
    const text = () => (existsSync(file) ? readFileSync(file, 'utf8') : '')
    await until(() => text().endsWith('.'))
    const pid = Number(text().slice(0, -1))
    expect(isAlive(pid)).toBe(true)
    await clock.advance(30_000)
    await failing
    await until(() => !isAlive(pid))
  })

  it('is killed when the server stops, and not started after that', async () => {
    const stop = new AbortController()
    const asking = expect(ask(hang, { signal: stop.signal })).rejects.toThrow('the server is stopping')
    stop.abort()
    await asking
    await expect(ask(hang, { signal: stop.signal })).rejects.toThrow('the server is stopping')
  })

  it.each([
    [`process.kill(process.pid, 'SIGSEGV')`, 'was ended by SIGSEGV without an answer'],
    ['process.exit(3)', 'ended with status 3 without an answer'],
    [answering(Buffer.of(0, 0, 0, 0, 9, 1)), 'ended with status 0 without an answer'],
    [`const all = Buffer.alloc(70000, 255); require('fs').writeSync(3, all); ${hang}`, 'was ended by SIGKILL'],
  ])('%s is a fault of the token, not of the server', async (script, why) => {
    await expect(ask(script)).rejects.toThrow(why)
  })

  it('that can not be started says so', async () => {
    const options = {
      command: ['/nowhere/at/all'],
      env: {},
      clock: systemClock,
      deadlineMs: 1000,
      signal: running.signal,
    }
    await expect(askToken(Buffer.from('request'), options)).rejects.toThrow('did not start')
  })
})

describe('a request', () => {
  it('that is none is refused without a word of it', () => {
    const canary = Buffer.concat([Buffer.of(0, 0, 0, 12), Buffer.from('{"pin":canary')])
    expect(() => decodeRequest(canary)).toThrow('this is no request to a token')
    expect(() => decodeRequest(Buffer.alloc(2))).toThrow('this is no request to a token')
  })
})
