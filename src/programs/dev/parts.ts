import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { DevCluster } from './cluster/dev-cluster.ts'
import { startEmbedded } from './cluster/embedded.ts'
import type { JoinedCluster } from './cluster/join.ts'
import type { Environment } from './environment.ts'
import { DevServer } from './server.ts'
import { shellExports } from './shell-file.ts'
import type { Supervisor } from './supervisor.ts'
import type { Terminal } from './terminal.ts'

/** The image that the injector puts into pods and that the pod runner maps to this build. */
const agentImage = 'coffer:dev'

export interface Parts {
  readonly server: DevServer
  readonly cluster: DevCluster
  readonly isolation: string
  /** A shell file that sets VAULT_ADDR, VAULT_CACERT, VAULT_TOKEN and KUBECONFIG. */
  readonly envFile: string
  readonly readyMs: number
}

interface Options {
  readonly terminal: Terminal
  readonly environment: Environment
  readonly supervisor: Supervisor
  readonly clock: Clock
  readonly random: RandomBytes
  /** Somebody's cluster; absent: an embedded one is started. */
  readonly joined: JoinedCluster | undefined
  readonly stop: AbortSignal
}

/** The order is the point: what others need starts first. */
export async function startParts(options: Options): Promise<Parts> {
  const { terminal, environment, supervisor, clock, joined, stop } = options
  const started = clock.monotonic()
  const say = (what: string, since: number) => terminal.done(`${what}`, clock.monotonic() - since)
  const server = new DevServer({ environment, supervisor, clock })
  const [cluster] = await Promise.all([
    (joined ? joined.join() : startEmbedded(options)).then((ready) => {
      say(joined ? `namespace ${ready.namespace} in ${ready.server}` : `development cluster ${ready.server}`, started)
      return ready
    }),
    server.start().then(async () => {
      await server.enableAudit()
      say(`server ${environment.server.address}, initialised, unsealed, audited to a file`, started)
    }),
  ])
  stop.throwIfAborted()
  const since = clock.monotonic()
  const isolation = await startWorkers(options, cluster)
  say(`controller, injector, pod runner (isolation of pods: ${isolation})`, since)
  return {
    server,
    cluster,
    isolation,
    envFile: writeEnvFile(environment, server, cluster.kubeconfig),
    readyMs: clock.monotonic() - started,
  }
}

/** What works for the cluster. Resolves with how pods are isolated. */
async function startWorkers({ environment, supervisor }: Options, cluster: DevCluster): Promise<string> {
  const imagesFile = join(environment.dir, 'images.json')
  writeFileSync(imagesFile, JSON.stringify(imageMap(environment)), { mode: 0o600 })
  const { workloads, controller, injector } = cluster.arguments
  const [runner] = await Promise.all([
    supervisor.start('workloads', [
      ...['workloads', ...workloads, '--dir', join(environment.dir, 'pods'), '--images', imagesFile],
      ...['--build', join(environment.packageRoot, 'dist')],
    ]),
    supervisor.start('controller', ['controller', ...controller]),
    supervisor
      .start('injector', [
        ...['injector', ...injector, `-vault-address=${environment.server.address}`, `-vault-image=${agentImage}`],
        `-vault-cacert-bytes=${Buffer.from(environment.caCertPem).toString('base64')}`,
      ])
      .then((child) => cluster.registerWebhook(child.ready.address ?? '')),
  ])
  return runner.ready.isolation ?? 'unknown'
}

function imageMap(environment: Environment) {
  return {
    'my-app:latest': {
      command: [process.execPath, join(environment.packageRoot, 'dist/apps/my-app.mjs')],
      args: ['/vault/secrets/config'],
    },
    [agentImage]: { agent: true },
  }
}

function writeEnvFile(environment: Environment, server: DevServer, kubeconfig: string): string {
  const file = join(environment.dir, 'env')
  const values = {
    VAULT_ADDR: environment.server.address,
    VAULT_CACERT: environment.server.caFile,
    VAULT_TOKEN: server.rootToken.reveal(),
    KUBECONFIG: kubeconfig,
  }
  writeFileSync(file, shellExports(values), { mode: 0o600 })
  return file
}
