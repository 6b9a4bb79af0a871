import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { type CliContext, Failure } from '../command.ts'
import { askHidden } from './hidden-prompt.ts'

/** A terminal whose raw mode is recorded. */
function terminal() {
  const modes: boolean[] = []
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => modes.push(on) })
  const stderr = new PassThrough()
  let shown = ''
  stderr.on('data', (data) => {
    shown += data
  })
  const stop = new AbortController()
  const context: CliContext = {
    name: 'vault',
    version: '0',
    stdin,
    stdout: new PassThrough(),
    stderr,
    env: {},
    clock: new FakeClock(),
    signal: stop.signal,
    openTransport: () => {
      throw new Error('not used')
    },
  }
  return { context, stdin, modes, shown: () => shown, stop }
}

describe('a hidden prompt', () => {
  it('returns what was typed, edited, and shows none of it', async () => {
    const { context, stdin, modes, shown } = terminal()
    const asked = askHidden(context, 'Key: ', 'use -')
    stdin.write('canaryX\u007f')
    stdin.write('1\r')
    expect(await asked).toBe('canary1')
    expect(modes).toEqual([true, false])
    expect(shown()).toBe('Key: \n')
  })

  it('gives the terminal back after Ctrl-C and when the program is stopped', async () => {
    const typed = terminal()
    const first = askHidden(typed.context, 'Key: ', '').catch((error: unknown) => error)
    typed.stdin.write('abc\u0003')
    expect(await first).toMatchObject({ status: 130 })
    expect(typed.modes).toEqual([true, false])
    const stopped = terminal()
    const second = askHidden(stopped.context, 'Key: ', '').catch((error: unknown) => error)
    stopped.stop.abort(new Error('SIGTERM'))
    expect(await second).toBeInstanceOf(Failure)
    expect(stopped.modes).toEqual([true, false])
  })
})
