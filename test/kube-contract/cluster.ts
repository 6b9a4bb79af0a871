/**
 * The API server under contract, spoken to by the plainest of clients: in the suite `contract` the embedded one on a real
 * socket, in the suite `envtest` a real kube-apiserver with its controllers. Where the two differ the real one is right.
 */
import { randomBytes } from 'node:crypto'
import { request as httpsRequest } from 'node:https'
import { inject, type TestContext } from 'vitest'
import { ApiServer, type ApiServerOptions } from '../../src/devcluster/api/api-server.ts'
import { listenHttps } from '../../src/devcluster/api/http-listener.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { createCa, issueCertificate, type KeyedCertificate } from '../../src/lib/x509/certificates.ts'

// Tests read what they were answered, whatever it is
export type Answer = any

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Answer
  readonly text: string
}
export interface SendOptions {
  readonly contentType?: string
  readonly headers?: Readonly<Record<string, string>>
}

const real = inject('controlPlane')

/** Whether this run is on a real control plane. */
export const onReal = real !== undefined
/** Leaves a test out there, and prints why. */
export function onlyEmbedded({ skip, task }: TestContext, reason: string): void {
  if (!onReal) return
  console.log(`not on a real control plane: ${task.name}: ${reason}`)
  skip(reason)
}

/** Kubernetes' minor version: 34, 36. The embedded cluster says what it takes itself for. */
export const minorVersion = Number(real?.version.split('.')[1] ?? 34)

export interface Cluster {
  readonly address: string
  readonly ca: KeyedCertificate
  readonly token: string
  send(method: string, path: string, body?: unknown, options?: SendOptions): Promise<Reply>
  get(path: string, options?: SendOptions): Promise<Reply>
  post(path: string, body: unknown, options?: SendOptions): Promise<Reply>
  put(path: string, body: unknown): Promise<Reply>
  patch(path: string, kind: PatchKind, body: unknown): Promise<Reply>
  delete(path: string, body?: unknown): Promise<Reply>
  /** The watch's frames as they come, until `stop`. */
  watch(
    path: string,
    headers?: Readonly<Record<string, string>>,
  ): { frames: Answer[]; stop(): void; ended: Promise<void> }
  /** A name that no other file of the run uses. */
  unique(prefix: string): string
  /** A namespace of its own. */
  namespace(): Promise<string>
  close(): Promise<void>
}

export type PatchKind = 'json' | 'merge' | 'strategic' | 'apply'
const patchTypes: Record<PatchKind, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

const day = 86_400_000

export function testCa(): KeyedCertificate {
  return createCa({ commonName: 'contract', random: systemRandom, now: Date.now(), validForMs: day })
}

export function testServerCertificate(ca: KeyedCertificate): KeyedCertificate {
  return issueCertificate(ca, {
    commonName: 'contract',
    random: systemRandom,
    now: Date.now(),
    validForMs: day,
    server: true,
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
  })
}

/**
 * A cluster of its own when it is embedded, and `options` count there only; else the one of the run, so whoever makes an
 * object that belongs to no namespace names it by `cluster.unique` and removes it.
 */
export async function openCluster(options: Partial<ApiServerOptions> = {}, ca = testCa()): Promise<Cluster> {
  return real ? clientOf({ ...real, close: async () => {} }) : clientOf(await openEmbedded(options, ca))
}

/** The embedded one in either suite, to hold it beside the real one. */
export async function openEmbeddedCluster(options: Partial<ApiServerOptions> = {}): Promise<Cluster> {
  return clientOf(await openEmbedded(options, testCa()))
}

export interface Opened {
  readonly address: string
  readonly ca: Pick<KeyedCertificate, 'certPem' | 'keyPem'>
  readonly token: string
  close(): Promise<void>
}

async function openEmbedded(options: Partial<ApiServerOptions>, ca: KeyedCertificate): Promise<Opened> {
  const token = 'contract-admin-token'
  const server = new ApiServer({
    clock: systemClock,
    random: systemRandom,
    caPem: ca.certPem,
    adminToken: token,
    ...options,
  })
  const listener = await listenHttps({ server, ...testServerCertificate(ca), port: 0 })
  return { address: listener.address, ca, token, close: () => listener.close() }
}

// Long because a cluster's methods share one connection's settings.
export function clientOf({ address, ca, token, close }: Opened): Cluster {
  const open = (method: string, path: string, headers: Record<string, string>) =>
    httpsRequest(`${address}${path}`, {
      method,
      ca: ca.certPem,
      agent: false,
      servername: 'localhost',
      headers: { authorization: `Bearer ${token}`, ...headers },
    })
  const send: Cluster['send'] = (method, path, body, { contentType, headers } = {}) =>
    new Promise((resolve, reject) => {
      const plain = body === undefined || typeof body === 'string' || body instanceof Uint8Array
      const content = plain ? body : JSON.stringify(body)
      const sent = open(method, path, {
        ...(content === undefined
          ? {}
          : {
              'content-type': contentType ?? 'application/json',
              'content-length': String(Buffer.byteLength(content)),
            }),
        ...headers,
      })
      sent.on('error', reject)
      sent.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('error', reject)
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: parsed(text), text })
        })
      })
      sent.end(content)
    })
  const run = randomBytes(4).toString('hex')
  let names = 0
  const unique = (prefix: string) => {
    names += 1
    return `${prefix}-${run}-${names}`
  }
  const cluster: Cluster = {
    unique,
    address,
    ca,
    token,
    send,
    get: (path, more) => send('GET', path, undefined, more),
    post: (path, body, more) => send('POST', path, body, more),
    put: (path, body) => send('PUT', path, body),
    patch: (path, kind, body) => send('PATCH', path, body, { contentType: patchTypes[kind] }),
    delete: (path, body) => send('DELETE', path, body),
    watch(path, headers = {}) {
      const frames: Answer[] = []
      const sent = open('GET', path, headers)
      const ended = new Promise<void>((resolve) => {
        sent.on('error', () => resolve())
        sent.on('response', (response) => {
          let rest = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => {
            const lines = (rest + chunk).split('\n')
            rest = lines.pop() ?? ''
            frames.push(...lines.map((line) => JSON.parse(line)))
          })
          response.on('close', () => resolve())
        })
      })
      sent.end()
      return { frames, stop: () => sent.destroy(), ended }
    },
    async namespace() {
      const name = unique('test')
      await cluster.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
      await eventually(
        async () => (await cluster.get(`/api/v1/namespaces/${name}/serviceaccounts/default`)).status === 200,
      )
      return name
    },
    close,
  }
  return cluster
}

/** A watch's answer is many documents, some answers are none: then the text itself. */
function parsed(text: string): Answer {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Waits for what must come about, and fails when it does not. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  withinMs = onReal ? 60_000 : 10_000,
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`did not come about: ${holds.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

export const secret = (name: string, data: Record<string, string> = {}, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, ...more },
  data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
})

export const pod = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: 'app', image: 'app:1' }], ...spec },
})
