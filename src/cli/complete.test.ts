import { describe, expect, it } from 'vitest'
import { completions } from './complete.ts'
import { runFake } from './fake-context.ts'

describe('completion', () => {
  it.each([
    [['sec'], ['secrets']],
    [
      ['secrets', ''],
      ['disable', 'enable', 'list', 'move', 'tune'],
    ],
    [['secrets', 'm'], ['move']],
    [
      ['kv', 'metadata', 'p'],
      ['patch', 'put'],
    ],
    [['-namespace=x', 'kv', 'und'], ['undelete']],
    [['kv', 'get', '-ver'], ['-version=']],
    [['kv', 'get', '--ver'], ['-version=']],
    [['secrets', 'list', '-det'], ['-detailed']],
    [['kv', 'get', 'secret/'], []],
    [['nonsense', ''], []],
    [['ser'], ['server']],
  ])('of %j is %j', (words, expected) => {
    expect(completions(words, 'vault')).toEqual(expected)
  })

  it('knows our own programs only under our own name', () => {
    expect([completions(['inj'], 'coffer'), completions(['inj'], 'vault')]).toEqual([['injector'], []])
  })

  it('is asked for by the scripts without a server', async () => {
    const run = await runFake(['__complete', 'unw'])
    expect([run.status, run.out, run.requests.length]).toEqual([0, 'unwrap\n', 0])
  })

  it.each(['bash', 'zsh', 'fish'])('has a script for %s that asks by the name it was called by', async (shell) => {
    const run = await runFake(['completion', shell], { name: 'coffer' })
    expect(run.status).toBe(0)
    expect(run.out).toContain('coffer __complete')
  })

  it('knows no other shell, and says which', async () => {
    const run = await runFake(['completion', 'tcsh'])
    expect([run.status, run.err]).toEqual([1, 'Unknown shell "tcsh": bash, zsh or fish\n'])
  })
})
