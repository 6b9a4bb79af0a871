/** The servers that answer transcripts; each word of the settings adds something to the server of the recordings. */
import { request } from 'node:http'
import { FakeClock } from '../../src/lib/fake-clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { engines, plugins } from '../../src/programs/engines.ts'
import { ServerLog } from '../../src/programs/server/node/logger.ts'
import { nodeOperations } from '../../src/programs/server/node/operations.ts'
import { type Injected, inject } from '../../src/server/http/handler.ts'
import { listen } from '../../src/server/http/listener.ts'
import { newWorld, TestDevice, testAuth, testEngine } from '../../src/server/pipeline/test-server.ts'
import { staticSeal } from '../../src/server/seal/static/static.ts'
import { newServer, type ServerOptions, startServer } from './replay.ts'

const smallBody = 512

const settings: Readonly<Record<string, (clock: FakeClock) => ServerOptions>> = {
  /** It must be initialised first; its root token is to be kept as `root`. */
  uninitialised: () => ({}),
  /** It unseals itself, and has recovery keys. */
  'auto-seal': () => ({
    seals: {
      current: staticSeal({ current: { id: 'k1', key: Buffer.alloc(32, 1) }, random: systemRandom }),
    },
  }),
  /** Requests come over a socket, and bodies may be of 512 bytes. */
  socket: () => ({}),
  /** Audit devices of the type "test". */
  audit: () => ({ auditDevices: { test: new TestDevice().type } }),
  /** An engine "test", which lends things at creds/<name>, and an auth method "door", which whoever says a name may enter. */
  engines: () => {
    const own = [testEngine(newWorld()), testAuth(newWorld())]
    return {
      types: {
        find: (name, mountClass) => {
          const type = own.find((each) => each.type === name && each.class === mountClass)
          return type ? { type } : engines.find(name, mountClass)
        },
      },
    }
  },
  /** A log whose levels can be set, a list of plugins, a configuration. */
  operations: (clock) => ({
    operations: nodeOperations({
      clock,
      plugins,
      logs: new ServerLog({ level: 'info', format: 'coffer', name: 'server', clock, write: () => {} }),
      serverState: {
        sanitized: () => ({ listeners: [{ type: 'tcp' }] }),
        reloads: { license: async () => {} },
      },
    }),
  }),
}

type Ask = (request: Parameters<typeof inject>[1]) => Promise<Injected>

export interface TranscriptServer {
  readonly ask: Ask
  close(): Promise<void>
}

export async function transcriptServer(names: readonly string[]): Promise<TranscriptServer> {
  const unknown = names.filter((name) => !Object.hasOwn(settings, name))
  if (unknown.length > 0) throw new Error(`no such setting of a transcript: ${unknown}`)
  const clock = new FakeClock()
  const options = Object.assign({ clock }, ...names.map((name) => settings[name]?.(clock)))
  const core = names.includes('uninitialised') ? newServer(options) : await startServer(options)
  const close = () => core.close(0)
  if (!names.includes('socket')) return { ask: (request) => inject(core.handler, request), close }
  const listener = await listen({ handler: core.handler, host: '127.0.0.1', port: 0, maxBodyBytes: smallBody })
  return {
    ask: (request) => overSocket(listener.address, request),
    close: async () => {
      await listener.close(async () => {})
      await close()
    },
  }
}

/** A client that sends what it is told to, also what no client should. */
const overSocket = (address: string, { method, path, headers, body }: Parameters<Ask>[0]): Promise<Injected> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address)
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
    const sent = request(
      { hostname, port, method, path, headers: { ...headers, ...length }, agent: false },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', reject)
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: { 'Content-Type': answer.headers['content-type'] ?? '' },
            body: Buffer.concat(chunks).toString(),
          }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
