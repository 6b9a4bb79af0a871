/** What is asked of the server: the names that the command takes, in the order in which they run. */
import type { Prepare, Prepared, Scenario } from './scenario.ts'

/** So many paths are written in turn: each has several versions by the end, as in use. */
const paths = 20_000

const string = { value: 'v'.repeat(1024) }
const tenKeys = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`key${n}`, String(n).repeat(90)]))
const large = { value: 'v'.repeat(100 * 1024) }

type Data = Readonly<Record<string, string>>

async function reading({ coffer, token }: Prepare, data: Data): Promise<Prepared> {
  await coffer.call('POST', 'secret/data/bench/read', { data }, token)
  const answer = await coffer.call('GET', 'secret/data/bench/read', undefined, token)
  return { shots: [{ path: '/v1/secret/data/bench/read' }], answers: { get: answer, post: answer } }
}

async function writing({ coffer, token }: Prepare, data: Data, keys = paths): Promise<Prepared> {
  const answer = await coffer.call('POST', 'secret/data/bench/write', { data }, token)
  const shot = { method: 'POST', path: '/v1/secret/data/bench', body: JSON.stringify({ data }), keys } as const
  return { shots: [shot], answers: { get: answer, post: answer } }
}

const kv = (name: string, title: string, prepare: Scenario['prepare']): Scenario => ({
  ...{ name, title, prepare },
  small: !name.endsWith('-100k'),
})

export const scenarios: readonly Scenario[] = [
  { ...kv('read-string', 'KV read, one string of 1 KB', (given) => reading(given, string)), ci: true },
  { ...kv('read-keys', 'KV read, ten keys of 90 bytes', (given) => reading(given, tenKeys)), ci: true },
  kv('read-100k', 'KV read, 100 KB', (given) => reading(given, large)),
  { ...kv('write-string', 'KV write, one string of 1 KB', (given) => writing(given, string)), ci: true },
  { ...kv('write-keys', 'KV write, ten keys of 90 bytes', (given) => writing(given, tenKeys)), ci: true },
  // Fewer paths: with all their versions they would fill the disk.
  kv('write-100k', 'KV write, 100 KB', (given) => writing(given, large, 200)),
  kv('mixed', 'KV, nine reads and one write, 1 KB', async (given) => {
    const [reads, writes] = [await reading(given, string), await writing(given, string)]
    const shots = [...reads.shots.map((shot) => ({ ...shot, share: 9 })), ...writes.shots]
    return { shots, answers: { get: reads.answers.get, post: writes.answers.post } }
  }),
  {
    name: 'hash',
    title: 'sys/tools/hash, SHA-256 of 1 KB',
    small: true,
    // Nearest to an encryption by transit: computes, reads no row but those of the authority, writes none.
    async prepare({ coffer, token }) {
      const input = Buffer.alloc(1024, 7).toString('base64')
      const answer = await coffer.call('POST', 'sys/tools/hash', { input }, token)
      const body = JSON.stringify({ input })
      return {
        shots: [{ method: 'POST', path: '/v1/sys/tools/hash', body }],
        answers: { get: answer, post: answer },
      }
    },
  },
  {
    name: 'lookup-self',
    title: 'auth/token/lookup-self',
    small: true,
    ci: true,
    async prepare({ coffer, token }) {
      const answer = await coffer.call('GET', 'auth/token/lookup-self', undefined, token)
      return { shots: [{ path: '/v1/auth/token/lookup-self' }], answers: { get: answer, post: answer } }
    },
  },
  {
    name: 'kubernetes-login',
    title: 'auth/kubernetes/login, reviewed by the development cluster',
    small: true,
    stanzas: 'outbound {\n  allow = ["127.0.0.1"]\n}',
    async prepare({ coffer, rootToken, folder }) {
      // The Kubernetes client is large, and most runs need none.
      const { startCluster } = await import('../server/cluster.ts')
      const cluster = await startCluster(`${folder}/cluster`)
      try {
        const body = await cluster.loginBody(coffer, rootToken)
        const answer = await coffer.call('POST', 'auth/kubernetes/login', JSON.parse(body))
        return {
          shots: [{ method: 'POST', path: '/v1/auth/kubernetes/login', body }],
          answers: { get: answer, post: answer },
          close: cluster.stop,
        }
      } catch (error) {
        await cluster.stop()
        throw error
      }
    },
  },
]
