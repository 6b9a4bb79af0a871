/** One request, put to the embedded API server and to the real one, and both answers. */
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:https'
import { ApiServer } from '../../src/devcluster/api/api-server.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import type { Answer, Cluster } from '../kube-contract/cluster.ts'

export interface Plain {
  readonly status: number
  /** A text when it is not JSON. */
  readonly body: Answer
}
export interface Sent {
  readonly method: string
  readonly path: string
  readonly body?: unknown
  /** Besides the admin's credentials and the type; several values are several lines. */
  readonly headers?: readonly (readonly [string, string])[]
  /** Other credentials than the admin's; empty for none. */
  readonly authorization?: string
}
export type Server = (sent: Sent) => Promise<Plain>

export interface Both {
  readonly embedded: Server
  readonly real: Server
  close(): void
}

const agentName = 'envtest'

/** Without sockets the embedded one, with few and lasting ones the real one: thousands of requests take seconds. */
export function openBoth(cluster: Cluster): Both {
  const adminToken = randomBytes(16).toString('hex')
  const server = new ApiServer({ clock: systemClock, random: systemRandom, caPem: cluster.ca.certPem, adminToken })
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: cluster.ca.certPem })
  return {
    embedded: (sent) => askEmbedded(server, sent, `Bearer ${adminToken}`),
    real: (sent) => askReal(cluster, agent, sent),
    close() {
      server.close()
      agent.destroy()
    },
  }
}

const linesOf = ({ headers = [], authorization }: Sent, admin: string) => {
  const credentials = authorization ?? admin
  const own = [['user-agent', agentName] as const, ['content-type', 'application/json'] as const]
  return [...own, ...(credentials === '' ? [] : [['authorization', credentials] as const]), ...headers]
}

async function askEmbedded(server: ApiServer, sent: Sent, admin: string): Promise<Plain> {
  const [path = '', query = ''] = sent.path.split('?')
  const lines = linesOf(sent, admin).map(([name, value]) => [name.toLowerCase(), value] as const)
  const { status, body } = await server.handle({
    method: sent.method,
    path,
    query: new URLSearchParams(query),
    headers: Object.fromEntries(lines),
    headerLines: lines,
    ...(sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }),
  })
  return { status, body: read(typeof body === 'string' ? body : '') }
}

function askReal({ address, token }: Cluster, agent: Agent, sent: Sent): Promise<Plain> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string[]> = {}
    for (const [name, value] of linesOf(sent, `Bearer ${token}`)) headers[name] = [...(headers[name] ?? []), value]
    const outgoing = request(`${address}${sent.path}`, { method: sent.method, agent, servername: 'localhost', headers })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: read(text) }))
    })
    outgoing.end(sent.body === undefined ? undefined : JSON.stringify(sent.body))
  })
}

function read(text: string): Answer {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** What may differ between any two servers is made equal. */
export function normalized(answer: Plain): Plain {
  const words = (text: string) =>
    text
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>')
      .replace(/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '<token>')
      // Two missing roles come in any order.
      .replace(
        /\[([^[\]]* not found(?:, [^[\]]* not found)+)\]/g,
        (_, list: string) => `[${list.split(', ').sort().join(', ')}]`,
      )
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return words(value)
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    const kept = Object.entries(value)
      .filter(([member]) => member !== 'resourceVersion')
      .sort(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(kept.map(([member, part]) => [member, walk(part)]))
  }
  return { status: answer.status, body: walk(answer.body) }
}

/** `work` on all, a few at a time, in order. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const out: R[] = []
  const entries = items.entries()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const [index, item] of entries) out[index] = await work(item)
    }),
  )
  return out
}
