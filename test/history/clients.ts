/** Clients that write, create, read and delete few keys of a `coffer server` at once, and write down what they were told. */
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import type { TestServer } from '../e2e/server-process.ts'
import type { Asked, Held, Operation, Told } from './operation.ts'

export interface Clients {
  readonly history: readonly Operation[]
  /** Keys are changed now and then, so that the history of one stays short enough to be judged. */
  newKeys(): void
  /** Reads every key that ever was, through each server; rejects when one gives no answer for a minute. */
  readAll(): Promise<void>
  /** Rejects with what a client could not make sense of. */
  stop(): Promise<void>
  /** Resolves when `count` more answers than now are known; rejects after a minute. */
  progress(count: number): Promise<void>
}

const keysAtOnce = 3
const pauseMs = 20
/** Longer than a page of either storage, so that a torn value would show. */
const filler = 'x'.repeat(9000)

/** All that clients need of one. */
export type Asker = Pick<TestServer, 'request'>

/** Each request goes to another one of `servers`. */
export function startClients(servers: readonly Asker[], mount: string, count: number): Clients {
  const history: Operation[] = []
  const seen = new Map<string, Held | undefined>()
  let round = 0
  let stopped = false
  let failure: unknown
  const record = async (server: Asker, key: string, asked: Asked) => {
    const begin = systemClock.monotonic()
    const told = await ask(server, `${mount}/data/${key}`, asked)
    if (told) history.push({ key, asked, told, begin, end: systemClock.monotonic() })
    if (told?.kind === 'found') seen.set(key, told.held)
    return told
  }
  const client = async (name: string, first: number) => {
    for (let i = 0; !stopped; i += 1) {
      const server = servers[(first + i) % servers.length]
      const [key, chance = 0] = [`round-${round}/${die() % keysAtOnce}`, die()]
      if (!server) return
      const told = await record(server, key, choose(chance, seen.get(key)?.version ?? 0, `${name}-${i}`))
      await systemClock.sleep(!told || told.kind === 'unknown' ? pauseMs * 5 : die() % pauseMs)
    }
  }
  const running = Array.from({ length: count }, (_, i) =>
    client(`c${i}`, i).catch((error: unknown) => {
      failure ??= error
    }),
  )
  return {
    history,
    async progress(count) {
      const known = () => history.filter(({ told }) => told.kind !== 'unknown').length
      const [aim, deadline] = [known() + count, systemClock.monotonic() + 60_000]
      while (known() < aim && failure === undefined) {
        if (systemClock.monotonic() > deadline) throw new Error(`not within a minute: ${count} more answers`)
        await systemClock.sleep(10)
      }
    },
    newKeys() {
      round += 1
    },
    async readAll() {
      for (const key of new Set(history.map((operation) => operation.key))) {
        for (const server of servers) {
          const deadline = systemClock.monotonic() + 60_000
          // One that does not let us in, or fails, would say nothing of what it has lost.
          while ((await record(server, key, { kind: 'read' }))?.kind !== 'found') {
            if (systemClock.monotonic() > deadline) throw new Error(`not within a minute: a read of ${key}`)
            await systemClock.sleep(pauseMs * 5)
          }
        }
      }
    },
    async stop() {
      stopped = true
      await Promise.all(running)
      if (failure !== undefined) throw failure
    },
  }
}

const die = () => systemRandom(1)[0] ?? 0

/** Of 256: reads 90, writes under cas 100, creations 30, writes over whatever there is 24, deletes 12. */
function choose(chance: number, version: number, value: string): Asked {
  if (chance < 90) return { kind: 'read' }
  if (chance < 190) return { kind: 'write', value, cas: version }
  if (chance < 220) return { kind: 'write', value, cas: 0 }
  if (chance < 244) return { kind: 'write', value }
  return { kind: 'delete' }
}

/** undefined: it was not let in, so it says nothing. Throws when the answer is none of those that are foreseen. */
async function ask(server: Asker, path: string, asked: Asked): Promise<Told | undefined> {
  const answer = await send(server, path, asked).catch((error: unknown) => {
    if (error instanceof TypeError && String(error.cause).includes('ECONNREFUSED')) return 'nobody'
    if (error instanceof TypeError || (error instanceof Error && error.name === 'SyntaxError')) return undefined
    throw error
  })
  if (answer === 'nobody' || answer?.json?.errors?.[0] === 'Vault is sealed') return undefined
  // Storage away, or cut.
  if (!answer || answer.status >= 500) return { kind: 'unknown' }
  const { status, json, text } = answer
  if (asked.kind === 'read' && status === 404 && !json?.data) return { kind: 'found', held: undefined }
  if (asked.kind === 'read' && status === 200) {
    const { id, again, filler: rest } = json.data.data
    if (id !== again || rest !== filler) throw new Error(`a torn value at ${path}: ${id} and ${again}`)
    return { kind: 'found', held: { version: json.data.metadata.version, value: id } }
  }
  if (asked.kind === 'write' && status === 200) return { kind: 'wrote', version: json.data.version }
  if (asked.kind === 'write' && status === 400 && text.includes('check-and-set')) return { kind: 'refused' }
  if (asked.kind === 'delete' && status === 204) return { kind: 'deleted' }
  throw new Error(`${asked.kind} of ${path} was answered with ${status}: ${text.slice(0, 300)}`)
}

function send(server: Asker, path: string, asked: Asked) {
  if (asked.kind === 'read') return server.request('GET', path)
  // The metadata with it: the key is gone, and its versions begin anew.
  if (asked.kind === 'delete') return server.request('DELETE', path.replace('/data/', '/metadata/'))
  const { value, cas } = asked
  const data = { id: value, filler, again: value }
  return server.request('POST', path, cas === undefined ? { data } : { data, options: { cas } })
}
