import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createTerminal } from '../../terminal.ts'
import { askConsent } from './consent.ts'
import type { GivenCluster } from './given.ts'

const quiet = { nodes: 0, address: { ip: '127.0.0.1', loopback: true } }

function ask(given: object, options: { yes?: boolean; env?: Record<string, string>; answer?: string } = {}) {
  const { yes = false, env = {}, answer } = options
  const stdin = Object.assign(new PassThrough(), { isTTY: answer !== undefined })
  if (answer !== undefined) stdin.end(answer)
  const stdout = new PassThrough()
  const stop = new AbortController().signal
  const io = { stdin, stdout, stderr: stdout, env, cwd: '/', stop, onReload: () => {} }
  const cluster = { context: 'prod', config: { server: 'https://k' }, ...given } as GivenCluster
  return askConsent(cluster, { yes, io, terminal: createTerminal(stdout, env) })
}

describe('before anything is written', () => {
  it('a bare API server on this machine needs no word', async () => {
    expect(await ask(quiet)).toBeUndefined()
    expect(await ask(quiet, { env: { CI: 'true' } })).toBeUndefined()
  })

  it.each([
    ['nodes', { ...quiet, nodes: 3 }, 'it has 3 nodes'],
    ['an API server elsewhere', { nodes: 0, address: { ip: '192.0.2.1', loopback: false } }, 'is not on this machine'],
  ])('%s: --yes, or the name of the context at a terminal', async (_what, given, words) => {
    expect(await ask(given)).toContain(words)
    expect(await ask(given)).toContain('there is no terminal')
    expect(await ask(given, { env: { CI: 'true' }, answer: 'prod\n' })).toContain('with CI=true nobody is asked')
    expect(await ask(given, { answer: 'yes\n' })).toContain('"yes" is not the context\'s name: nothing was written')
    expect(await ask(given, { answer: '' })).toContain('nothing was written')
    expect(await ask(given, { answer: 'prod\n' })).toBeUndefined()
    expect(await ask(given, { yes: true, env: { CI: 'true' } })).toBeUndefined()
  })
})
