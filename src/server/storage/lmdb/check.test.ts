import { describe, expect, it } from 'vitest'
import { inspectInChild } from './check.ts'

const shell = (script: string) => ({ command: ['sh', '-c', script] })

describe('a check in a process of its own', () => {
  it.each([
    ['ends in order', 'exit 0', 'whole', undefined],
    ['names what is wrong', 'echo "Error: row 7 is out of order" >&2; exit 1', 'damaged', 'row 7 is out of order'],
    ['dies of what it reads', 'kill -BUS $$', 'damaged', 'the check was ended by SIGBUS'],
    ['dies of what it reads (2)', 'kill -SEGV $$', 'damaged', 'the check was ended by SIGSEGV'],
    ['is killed by someone', 'kill -KILL $$', 'unknown', 'the check was ended by SIGKILL'],
    ['is stopped by someone', 'kill -TERM $$', 'unknown', 'the check was ended by SIGTERM'],
    ['may not read', 'echo "Error: Permission denied" >&2; exit 1', 'unknown', 'Permission denied'],
    [
      'is a program that does not run',
      'printf "node:internal/modules:1\\n  throw\\n\\nError: Cannot find module x\\n" >&2; exit 1',
      'unknown',
      'Cannot find module x',
    ],
    ['says nothing', 'exit 3', 'unknown', 'the check ended with status 3'],
  ])('that %s', async (_, script, verdict, why) => {
    expect(await inspectInChild('/a/file', shell(script))).toEqual({ verdict, ...(why ? { why } : {}) })
  })

  it('that can not be started, or takes too long, says nothing about the file', async () => {
    const missing = await inspectInChild('/a/file', { command: ['/no/such/program'] })
    expect(missing).toMatchObject({ verdict: 'unknown', why: expect.stringContaining('could not be started') })
    const slow = await inspectInChild('/a/file', { ...shell('exec sleep 60'), timeoutMs: 50 })
    expect(slow).toEqual({ verdict: 'unknown', why: 'the check was ended by SIGKILL' })
  })
})
