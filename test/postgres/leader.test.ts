/** Leadership among nodes on different machines: nobody can see whether another process runs, only whether it beats. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { commitId } from '../../src/server/contracts/commit.ts'
import type { Check } from '../../src/server/contracts/storage.ts'
import { eventually, open, textOf } from './open-storage.ts'
import { type PostgresServer, startPostgres } from './postgres-server.ts'

let server: PostgresServer
const children: ChildProcess[] = []
beforeAll(async () => {
  server = await startPostgres()
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})
afterAll(() => server?.close())

function startLeader(url: string) {
  const script = join(import.meta.dirname, 'node-child.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', script, 'lead', url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  const says = (line: string) =>
    eventually(() => (output.includes(line) ? true : undefined), `"${line}", but ${output}`)
  return { child, says }
}

/** Leads once and answers its fence. */
async function leadOnce(backend: Awaited<ReturnType<typeof open>>, during: (fence: Check) => Promise<void>) {
  await backend.lead(during, new AbortController().signal)
}

describe('a leader that', () => {
  it('is stopped is replaced, and what it writes when it wakes up conflicts', async () => {
    const url = server.url(await server.newDatabase())
    const { child, says } = startLeader(url)
    await says('did ten')
    const backend = await open(url)
    let took = 0
    child.kill('SIGSTOP')
    const begun = systemClock.monotonic()
    await leadOnce(backend, async (fence) => {
      took = systemClock.monotonic() - begun
      const put = [{ key: 'led/by', value: Buffer.from('the other') }]
      expect(await backend.commit({ id: commitId(systemRandom), checks: [fence], put })).toBe('ok')
      const [before] = await backend.read([{ key: 'led/count' }])
      child.kill('SIGCONT')
      await says('fenced off')
      expect(textOf((await backend.read([{ key: 'led/count' }]))[0])).toBe(textOf(before))
    })
    // Not before its beats are missed for long enough.
    expect(took).toBeGreaterThan(5000)
    expect(took).toBeLessThan(30_000)
    await backend.close()
  })

  it('has ended, but could not say so, is not taken for alive because its process is', async () => {
    const database = await server.newDatabase()
    const backend = await open(server.url(database))
    const opening = await backend.announce()
    let leader: string | undefined
    await leadOnce(backend, async (fence) => {
      leader = textOf((await backend.read([fence]))[0])
    })
    const beatOf = async (id = '') =>
      (await server.sql(`SELECT beat FROM coffer_rows_nodes WHERE id = '${id}'`, database))[0]
    const before = { leader: await beatOf(leader), opening: await beatOf(opening) }
    expect(before.leader).toBeDefined()
    for (let beats = 0, last = before.opening; beats < 2; beats += 1) {
      last = await eventually(async () => {
        const beat = await beatOf(opening)
        return beat === last ? undefined : beat
      }, 'a beat of the process')
    }
    expect(await beatOf(leader)).toBe(before.leader)
    expect(await backend.isAtWork(opening)).toBe(true)
    await backend.close()
  })

  it('is alive keeps the lead, whoever else wants it', async () => {
    const url = server.url(await server.newDatabase())
    const { says } = startLeader(url)
    await says('did ten')
    const backend = await open(url)
    const until = new AbortController()
    let led = false
    const leading = backend.lead(async () => {
      led = true
    }, until.signal)
    await systemClock.sleep(12_000)
    expect(led).toBe(false)
    until.abort()
    await leading
    await backend.close()
  })

  it('ends in order is followed at once', async () => {
    const url = server.url(await server.newDatabase())
    const [one, two] = [await open(url), await open(url)]
    await leadOnce(one, async () => undefined)
    const begun = systemClock.monotonic()
    await leadOnce(two, async () => undefined)
    expect(systemClock.monotonic() - begun).toBeLessThan(5000)
    await Promise.all([one.close(), two.close()])
  })

  it('loses the database stands again when it is back', async () => {
    const own = await startPostgres()
    try {
      const backend = await open(own.url())
      const until = new AbortController()
      const fences: string[] = []
      let lost = 0
      const leading = backend.lead(async (fence, signal) => {
        fences.push(fence.version)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
        if (!until.signal.aborted) lost += 1
      }, until.signal)
      await eventually(() => (fences.length === 1 ? true : undefined), 'the lead')
      await own.crash()
      await eventually(() => (lost === 1 ? true : undefined), 'the loss')
      await own.start()
      await eventually(() => (fences.length === 2 ? true : undefined), 'the lead again')
      until.abort()
      await leading
      await backend.close()
    } finally {
      await own.close()
    }
  })
})
