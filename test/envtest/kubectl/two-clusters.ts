/** One kubectl, two clusters: the same command line on the embedded API and on the real one, their outputs made comparable. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { ApiServer } from '../../../src/devcluster/api/api-server.ts'
import { listenHttps } from '../../../src/devcluster/api/http-listener.ts'
import { kubeletOverHttps } from '../../../src/devcluster/api/requests/pod-logs.ts'
import { runControllers } from '../../../src/devcluster/workloads/controllers.ts'
import { createInProcessClient } from '../../../src/kube/in-process-client.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { systemRandom } from '../../../src/lib/random.ts'
import { issueCertificate } from '../../../src/lib/x509/certificates.ts'
import { testServerCertificate } from '../../kube-contract/cluster.ts'

export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

export interface Side {
  /** Runs in the folder of the script's files; `env` is all that it sees besides. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Outcome>
}

export interface TwoClusters {
  readonly folder: string
  /** Where both find the kubelet: it answers every question with itself. */
  readonly kubeletPort: number
  readonly real: Side
  readonly embedded: Side
  close(): Promise<void>
}

const plane = inject('controlPlane')
const token = 'kubectl-test'

export async function openTwoClusters(namespace: string): Promise<TwoClusters> {
  const folder = await mkdtemp(join(tmpdir(), 'coffer-kubectl-'))
  const shared = { clock: systemClock, random: systemRandom, log: silentLog }
  const kubelet = issueCertificate(plane.ca, {
    commonName: 'kube-apiserver-kubelet-client',
    random: systemRandom,
    now: Date.now(),
    validForMs: 3_600_000,
    client: true,
  })
  const callKubelet = kubeletOverHttps({ caPem: plane.ca.certPem, ...kubelet })
  const server = new ApiServer({ ...shared, caPem: plane.ca.certPem, adminToken: token, callKubelet })
  const listener = await listenHttps({ server, ...testServerCertificate(plane.ca), port: 0 })
  const client = createInProcessClient((request) => server.handle(request), {
    ...shared,
    headers: { authorization: `Bearer ${token}` },
  })
  const stop = new AbortController()
  const controllers = runControllers({ ...shared, client }, stop.signal)
  const side = (name: string, address: string, secret: string) =>
    openSide({ folder, name, address, token: secret, namespace })
  const kubeletServer = await openKubelet()
  const bound = kubeletServer.address()
  return {
    folder,
    kubeletPort: typeof bound === 'object' && bound ? bound.port : 0,
    real: await side('real', plane.address, plane.token),
    embedded: await side('embedded', listener.address, token),
    async close() {
      stop.abort(new Error('over'))
      await controllers
      await listener.close()
      kubeletServer.closeAllConnections()
      await new Promise((resolve) => kubeletServer.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function openKubelet(): Promise<Server> {
  const { certPem, keyPem } = testServerCertificate(plane.ca)
  const tls = { cert: certPem, key: keyPem, ca: plane.ca.certPem, requestCert: true, rejectUnauthorized: true }
  const server = createServer(tls, (request, response) => response.end(`asked: ${request.url}\n`))
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

interface SideOptions {
  readonly folder: string
  readonly name: string
  readonly address: string
  readonly token: string
  readonly namespace: string
}

async function openSide({ folder, name, address, token: secret, namespace }: SideOptions): Promise<Side> {
  const kubeconfig = join(folder, `${name}.kubeconfig`)
  const encoded = Buffer.from(plane.ca.certPem).toString('base64')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: address, 'certificate-authority-data': encoded } }],
    users: [{ name: 'u', user: { token: secret } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace } }],
    'current-context': 'x',
  }
  await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 })
  const own = { KUBECONFIG: kubeconfig, HOME: join(folder, name), PATH: process.env['PATH'] ?? '' }
  return {
    run: (args, env = {}) =>
      new Promise((resolve) => {
        const options = { cwd: folder, env: { ...own, ...env }, timeout: 60_000, maxBuffer: 32 * 1024 * 1024 }
        execFile(plane.kubectl, [...args], options, (error, stdout, stderr) => {
          resolve({ stdout, stderr, code: error ? (typeof error.code === 'number' ? error.code : -1) : 0 })
        })
      }),
  }
}

/** What no two clusters share: times, uids, versions of objects, made-up names, addresses, tokens. Columns lose their width with them. */
export function comparable(text: string): string {
  return (
    text
      .replace(/https:\/\/127\.0\.0\.1:\d+/g, 'ADDRESS')
      .replace(/127\.0\.0\.1:\d+/g, 'ADDRESS')
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UID')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
      .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, 'TIME')
      .replace(/("?resourceVersion"?: ?"?)\d+/g, '$1VERSION')
      .replace(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g, 'TOKEN')
      .replace(/\b(web|front)-[a-z0-9]{8,10}(-[a-z0-9]{5})?\b/g, (_, name, pod) => `${name}-HASH${pod ? '-POD' : ''}`)
      .replace(/(pod-template-hash"?[:=] ?"?)[a-z0-9]{8,10}/g, '$1HASH')
      .replace(/(^|[\s(])(?:\d+[smhd]){1,2}(?=[\s)]|$)/gm, '$1AGE')
      .replace(/\.[0-9a-f]{16}\b/g, '.EVENT')
      // kubectl 1.36.3 itself panics in `auth reconcile`.
      .replace(/\+?0x[0-9a-f]+\??|goroutine \d+/g, 'PLACE')
      .replace(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-ANY')
      .replace(/\b(once)-[a-z0-9]{5}\b/g, '$1-ANY')
      .replace(/\/tmp\/(LIVE|MERGED)-\d+/g, '$1')
      .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}/g, 'TIME')
      .replace(/(Resource Version:) +\d+/g, '$1 VERSION')
      .replace(/(?<=\S) {2,}/g, '  ')
      .replace(/ +$/gm, '')
  )
}
