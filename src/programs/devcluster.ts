/** `coffer devcluster --dir DIR [--port N]`: the embedded Kubernetes API, for development and tests, never in production. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ApiServer } from '../devcluster/api/api-server.ts'
import { listenHttps } from '../devcluster/api/http-listener.ts'
import { kubeletOverHttps } from '../devcluster/api/requests/pod-logs.ts'
import { systemClock } from '../lib/clock.ts'
import { base62, systemRandom } from '../lib/random.ts'
import { untilAborted } from '../lib/until-aborted.ts'
import { createCa, issueCertificate } from '../lib/x509/certificates.ts'
import { productionIn } from './dev/production.ts'
import type { Program, ProgramIo } from './program.ts'
import { announceReady } from './server/ready.ts'

const usage = `Usage: coffer devcluster --dir DIR [--port N]

  The embedded Kubernetes API: in memory, on loopback, for development and tests,
  never in production. Writes DIR/kubeconfig and ends with Ctrl-C.

      $ coffer devcluster --dir /tmp/cluster
      $ kubectl --kubeconfig /tmp/cluster/kubeconfig get namespaces

  \`coffer dev\` starts it together with everything else.
`
/** Longer than anybody leaves a development cluster running. */
const certificateLifetimeMs = 30 * 86_400_000

export const program: Program = {
  async run(args, io) {
    if (args.includes('--help') || args.includes('-h')) {
      io.stdout.write(usage)
      return 0
    }
    const options = readArguments(args)
    if (typeof options === 'string') {
      io.stderr.write(`${options}\n${usage}\n`)
      return 1
    }
    try {
      return await serve(options, io)
    } catch (error) {
      io.stderr.write(`the development cluster can not go on: ${error instanceof Error ? error.message : error}\n`)
      return 1
    }
  },
}

interface Options {
  readonly dir: string
  readonly port: number
}

function readArguments(args: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { dir: { type: 'string' }, port: { type: 'string', default: '0' } },
    })
    const port = Number(values.port)
    if (!values.dir) return '--dir is needed'
    if (!Number.isInteger(port) || port < 0 || port > 65_535) return `--port ${values.port} is no port`
    return { dir: values.dir, port }
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function serve({ dir, port }: Options, io: ProgramIo): Promise<number> {
  const folder = resolve(io.cwd, dir)
  const production = productionIn(folder)
  if (production) throw new Error(`--dir: ${production}`)
  const certificates = makeCertificates()
  const { caPem } = certificates
  const adminToken = base62(systemRandom, 40)
  const server = new ApiServer({
    clock: systemClock,
    random: systemRandom,
    caPem,
    adminToken,
    callKubelet: kubeletOverHttps({ caPem, ...certificates.kubeletClient }),
  })
  const listener = await listenHttps({ server, ...certificates.server, port })
  const kubeconfig = join(folder, 'kubeconfig')
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'ca.crt'), caPem)
    // With these whoever runs the pods serves their logs to us, as a kubelet does.
    await writeFile(join(folder, 'kubelet.crt'), certificates.kubelet.certPem)
    await writeSecret(join(folder, 'kubelet.key'), certificates.kubelet.keyPem)
    await writeSecret(kubeconfig, kubeconfigFor(listener.address, caPem, adminToken))
    io.stdout.write(`development cluster at ${listener.address}\nKUBECONFIG=${kubeconfig}\n`)
    announceReady(io.env, { address: listener.address, kubeconfig })
    await untilAborted(io.stop)
  } finally {
    await listener.close()
  }
  return 0
}

/** Only the owner reads it. An old file is removed first: it would keep its mode. */
async function writeSecret(path: string, content: string): Promise<void> {
  await rm(path, { force: true })
  await writeFile(path, content, { mode: 0o600 })
}

/** A CA of this start, whose key is forgotten once everyone has their certificate. */
function makeCertificates() {
  const base = { random: systemRandom, now: systemClock.now(), validForMs: certificateLifetimeMs }
  const loopback = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] }
  const ca = createCa({ ...base, commonName: 'coffer development cluster' })
  return {
    caPem: ca.certPem,
    server: issueCertificate(ca, {
      ...base,
      commonName: 'kube-apiserver',
      server: true,
      ...loopback,
      dnsNames: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
    }),
    kubelet: issueCertificate(ca, { ...base, commonName: 'system:node', server: true, ...loopback }),
    kubeletClient: issueCertificate(ca, {
      ...base,
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      client: true,
    }),
  }
}

/** JSON is YAML: no library is needed to write it. */
function kubeconfigFor(address: string, caPem: string, token: string): string {
  const name = 'coffer-dev'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: { server: address, 'certificate-authority-data': Buffer.from(caPem).toString('base64') },
      },
    ],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: 'default' } }],
    'current-context': name,
  }
  return `${JSON.stringify(config, null, 2)}\n`
}
