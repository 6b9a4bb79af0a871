/**
 * A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager as `npm run envtest:build` made them, or
 * as the folder that KUBEBUILDER_ASSETS names holds them. Never one that PATH happens to hold.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, openSync, readFileSync, realpathSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRandom } from '../../src/lib/random.ts'
import { createCa, issueCertificate, type KeyedCertificate } from '../../src/lib/x509/certificates.ts'
import { controlPlanes, isBuilt, programs } from './assets.mjs'

export interface ControlPlane {
  /** Kubernetes' own, such as 1.34.4. */
  readonly version: string
  readonly address: string
  /** Signs the API server's and its kubelet client's certificate (organisation system:masters); client certificates too. */
  readonly ca: KeyedCertificate
  /** Of system:masters. */
  readonly token: string
  /** A file, mode 0600, with that token. */
  readonly kubeconfig: string
  readonly kubectl: string
  /** The address of etcd, for tests that compact it. */
  readonly etcd: string
  /** SIGKILL. */
  stopApiServer(): Promise<void>
  /** On the same port; resolves when it is ready. */
  startApiServer(): Promise<void>
  stop(): Promise<void>
}

export interface ControlPlaneOptions {
  /** Minor version, such as 1.34; ignored when KUBEBUILDER_ASSETS is set. */
  readonly minor?: string
  /** False: no kube-controller-manager, so no service accounts, garbage collection, Deployments. */
  readonly controllers?: boolean
  readonly apiServerFlags?: readonly string[]
}

export interface Assets {
  readonly folder: string
  readonly version: string
}

/** The folder to use, or why there is none, in words for a skip. */
export function findAssets(minor?: string, env = process.env): Assets | string {
  const given = env['KUBEBUILDER_ASSETS']
  if (given) return givenAssets(given)
  const plane = controlPlanes.find((candidate) => minor === undefined || candidate.minor === minor)
  if (!plane)
    return `this repository pins no Kubernetes ${minor}; it has ${controlPlanes.map((p) => p.minor).join(' and ')}`
  if (!isBuilt(plane))
    return `Kubernetes ${plane.version} is not built: \`npm run envtest:build -- ${plane.minor}\` does it`
  return { folder: plane.folder, version: plane.version }
}

/** Somebody's own folder is asked what it holds: an etcd 3.4 would fail much later, and in other words. */
function givenAssets(folder: string): Assets | string {
  const missing = programs.find((name) => !existsSync(join(folder, name)))
  if (missing) return `KUBEBUILDER_ASSETS=${folder} holds no ${missing}`
  const run = (name: string) => execFileSync(join(folder, name), ['--version'], { encoding: 'utf8' })
  const etcd = /etcd Version: (\d+)\.(\d+)/.exec(run('etcd'))
  if (!etcd || Number(etcd[1]) * 100 + Number(etcd[2]) < 305)
    return `KUBEBUILDER_ASSETS=${folder} has etcd ${etcd?.[0]}; 3.5 or later is needed`
  const kubernetes = /v(1\.(\d+)\.\S+)/.exec(run('kube-apiserver'))
  if (!kubernetes || Number(kubernetes[2]) < 28)
    return `KUBEBUILDER_ASSETS=${folder} has ${kubernetes?.[0] ?? 'an unknown'} kube-apiserver; 1.28 or later is needed`
  return { folder: realpathSync(folder), version: kubernetes[1] ?? '' }
}

const dayMs = 86_400_000
const readyWithinMs = 90_000

// Long because it is the list of what a control plane needs, in order.
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const assets = findAssets(options.minor)
  if (typeof assets === 'string') throw new Error(assets)
  const dir = await mkdtemp(join(realpathSync(tmpdir()), 'coffer-envtest-'))
  const running = new Map<string, Program>()
  const stop = async () => {
    await Promise.all([...running.values()].map((program) => program.kill()))
    await rm(dir, { recursive: true, force: true })
  }
  const start = (name: string, args: readonly string[]) => {
    const program = startProgram(join(assets.folder, name), args, join(dir, `${name}.log`))
    running.set(name, program)
    return program
  }
  try {
    const ca = createCa({ commonName: 'envtest', random: systemRandom, now: Date.now(), validForMs: dayMs })
    const token = randomBytes(16).toString('hex')
    const [etcdPort, peerPort, apiPort] = await freePorts(3)
    const address = `https://127.0.0.1:${apiPort}`
    const etcd = `http://127.0.0.1:${etcdPort}`
    const kubeconfig = await writeFiles(dir, ca, token, address)
    const peer = `http://127.0.0.1:${peerPort}`
    const store = start('etcd', [
      ...['--name=default', `--data-dir=${join(dir, 'etcd')}`, '--unsafe-no-fsync', '--log-level=warn'],
      ...[`--listen-client-urls=${etcd}`, `--advertise-client-urls=${etcd}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=default=${peer}`],
    ])
    const startApiServer = async () => {
      const api = start('kube-apiserver', [...apiServerFlags(dir, etcd, apiPort), ...(options.apiServerFlags ?? [])])
      await answers(`${address}/readyz`, ca.certPem, token, [store, api])
    }
    await startApiServer()
    if (options.controllers !== false) {
      const controllers = start('kube-controller-manager', controllerFlags(dir, kubeconfig))
      // The namespace is usable when its controllers have been at it.
      await answers(`${address}/api/v1/namespaces/default/serviceaccounts/default`, ca.certPem, token, [controllers])
    }
    return {
      version: assets.version,
      address,
      ca,
      token,
      kubeconfig,
      kubectl: join(assets.folder, 'kubectl'),
      etcd,
      stopApiServer: async () => running.get('kube-apiserver')?.kill(),
      startApiServer,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const apiServerFlags = (dir: string, etcd: string, port: number) => [
  ...[`--etcd-servers=${etcd}`, '--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${port}`],
  ...[`--tls-cert-file=${join(dir, 'server.crt')}`, `--tls-private-key-file=${join(dir, 'server.key')}`],
  ...[`--client-ca-file=${join(dir, 'ca.crt')}`, `--token-auth-file=${join(dir, 'tokens.csv')}`],
  ...[`--kubelet-certificate-authority=${join(dir, 'ca.crt')}`],
  ...[`--kubelet-client-certificate=${join(dir, 'kubelet-client.crt')}`],
  ...[`--kubelet-client-key=${join(dir, 'kubelet-client.key')}`],
  ...['--service-account-issuer=https://kubernetes.default.svc.cluster.local'],
  ...[`--service-account-key-file=${join(dir, 'accounts.key')}`],
  ...[`--service-account-signing-key-file=${join(dir, 'accounts.key')}`],
  ...['--service-cluster-ip-range=10.96.0.0/16', '--authorization-mode=RBAC', '--allow-privileged=true'],
  '--profiling=false',
]
const controllerFlags = (dir: string, kubeconfig: string) => [
  ...[
    `--kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--use-service-account-credentials=true',
  ],
  ...[`--service-account-private-key-file=${join(dir, 'accounts.key')}`, `--root-ca-file=${join(dir, 'ca.crt')}`],
  // The signers of CertificateSigningRequests, such as kubernetes.io/kubelet-serving.
  ...[`--cluster-signing-cert-file=${join(dir, 'ca.crt')}`, `--cluster-signing-key-file=${join(dir, 'ca.key')}`],
  ...['--kube-api-qps=200', '--kube-api-burst=400', '--profiling=false'],
]

async function writeFiles(dir: string, ca: KeyedCertificate, token: string, address: string): Promise<string> {
  const put = (name: string, text: string) => writeFile(join(dir, name), text, { mode: 0o600 })
  const common = { random: systemRandom, now: Date.now(), validForMs: dayMs }
  const server = issueCertificate(ca, {
    ...common,
    commonName: 'kube-apiserver',
    server: true,
    dnsNames: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
    ipAddresses: ['127.0.0.1', '10.96.0.1'],
  })
  const kubelet = issueCertificate(ca, {
    ...common,
    commonName: 'kube-apiserver-kubelet-client',
    organizations: ['system:masters'],
    client: true,
  })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await Promise.all([
    put('ca.crt', ca.certPem),
    put('ca.key', ca.keyPem),
    put('server.crt', server.certPem),
    put('server.key', server.keyPem),
    put('kubelet-client.crt', kubelet.certPem),
    put('kubelet-client.key', kubelet.keyPem),
    put('accounts.key', String(privateKey.export({ type: 'pkcs8', format: 'pem' }))),
    put('tokens.csv', `${token},coffer-admin,coffer-admin,"system:masters"\n`),
  ])
  const encoded = Buffer.from(ca.certPem).toString('base64')
  await put(
    'kubeconfig',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'envtest', cluster: { server: address, 'certificate-authority-data': encoded } }],
      users: [{ name: 'admin', user: { token } }],
      contexts: [{ name: 'envtest', context: { cluster: 'envtest', user: 'admin' } }],
      'current-context': 'envtest',
    }),
  )
  return join(dir, 'kubeconfig')
}

interface Program {
  readonly name: string
  readonly ended: boolean
  /** The last lines it said. */
  words(): string
  kill(): Promise<void>
}

/** With util-linux' setpriv it dies with us, however we die. */
function startProgram(path: string, args: readonly string[], logFile: string): Program {
  const tied = existsSync('/usr/bin/setpriv')
  const output = openSync(logFile, 'a')
  const stdio = ['ignore' as const, output, output]
  const child: ChildProcess = tied
    ? spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', path, ...args], { stdio })
    : spawn(path, args, { stdio })
  const closed = new Promise<void>((resolve) => {
    child.on('close', () => resolve())
    child.on('error', () => resolve())
  })
  return {
    name: path,
    get ended() {
      return child.exitCode !== null || child.signalCode !== null
    },
    words: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n'),
    async kill() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

/** Asks until the answer is 200; a program that ended is the reason at once. */
async function answers(url: string, ca: string, token: string, needed: readonly Program[]): Promise<void> {
  const end = performance.now() + readyWithinMs
  for (;;) {
    const status = await new Promise<number>((resolve) => {
      const sent = request(url, { ca, agent: false, timeout: 5000, headers: { authorization: `Bearer ${token}` } })
      sent.on('error', () => resolve(0))
      sent.on('timeout', () => sent.destroy())
      sent.on('response', (response) => {
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      sent.end()
    })
    if (status === 200) return
    const dead = needed.find((program) => program.ended)
    if (dead || performance.now() > end) {
      const words = needed.map((program) => `${program.name}:\n${program.words()}`).join('\n')
      throw new Error(`${dead ? `${dead.name} ended` : `${url} did not answer 200 (last ${status})`}\n${words}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Held together, then let go: three different ones. */
async function freePorts(count: 3): Promise<[number, number, number]>
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => {
    const bound = server.address()
    return typeof bound === 'object' && bound ? bound.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
