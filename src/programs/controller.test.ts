import { Readable, Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { program } from './controller.ts'

async function run(...args: string[]) {
  const out = { stdout: '', stderr: '' }
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk, _encoding, done) {
        out[name] += String(chunk)
        done()
      },
    })
  const status = await program.run(args, {
    stdin: Readable.from([]),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    cwd: '/',
    stop: new AbortController().signal,
    onReload: () => {},
  })
  return { status, ...out }
}

it('explains itself', async () => {
  expect(await run('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--store-requeue-interval') })
})

it.each([
  [['--concurrent', '0'], '--concurrent'],
  [['--store-requeue-interval=soon'], '--store-requeue-interval'],
  [['--loglevel', 'loud'], '--loglevel'],
  [['--enable-leader-election'], '--enable-leader-election'],
  [['stray'], 'stray'],
  [[], 'no Kubernetes configuration'],
])('refuses %j by name', async (args, words) => {
  expect(await run(...args)).toMatchObject({ status: 1, stderr: expect.stringContaining(words) })
})
