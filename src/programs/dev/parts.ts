import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { customResourceDefinitions as definitions } from '../../controller/crds/definitions.ts'
import type { KubeClient } from '../../kube/client.ts'
import { loadKubeConfig } from '../../kube/kubeconfig.ts'
import { customResourceDefinitions } from '../../kube/object-types.ts'
import { createKubeClient } from '../../kube/rest-client.ts'
import type { Clock } from '../../lib/clock.ts'
import { silentLog } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { Environment } from './environment.ts'
import { DevServer } from './server.ts'
import type { Supervisor } from './supervisor.ts'
import type { Terminal } from './terminal.ts'

/** The image that the injector puts into pods and that the pod runner maps to this build. */
const agentImage = 'coffer:dev'

export interface Parts {
  readonly server: DevServer
  readonly kube: KubeClient
  readonly kubeconfig: string
  readonly cluster: { readonly server: string; readonly caPem: string }
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
  readonly stop: AbortSignal
}

// The order is the point: what others need starts first. 50 lines of one sequence read better than five functions.
export async function startParts(options: Options): Promise<Parts> {
  const { terminal, environment, supervisor, clock, random } = options
  const started = clock.monotonic()
  const say = (what: string, since: number) => terminal.done(`${what}`, clock.monotonic() - since)
  const server = new DevServer({ environment, supervisor, clock })
  const clusterDir = join(environment.dir, 'cluster')

  const [cluster] = await Promise.all([
    supervisor.start('cluster', ['devcluster', '--dir', clusterDir]).then((child) => {
      say(`development cluster ${child.ready.address ?? ''}`, started)
      return child
    }),
    server.start().then(async () => {
      await server.enableAudit()
      say(`server ${environment.server.address}, initialised, unsealed, audited to a file`, started)
    }),
  ])
  const kubeconfig = cluster.ready.kubeconfig ?? join(clusterDir, 'kubeconfig')
  const config = await loadKubeConfig({
    path: kubeconfig,
    env: environment.childEnv,
    clock,
    readFile: (path) => readFile(path, 'utf8'),
  })
  const kube = createKubeClient({
    config,
    clock,
    random,
    log: silentLog,
  })
  for (const definition of definitions()) {
    await kube.apply(customResourceDefinitions, definition, { fieldManager: 'coffer-dev', force: true })
  }

  const imagesFile = join(environment.dir, 'images.json')
  writeFileSync(imagesFile, JSON.stringify(imageMap(environment)), { mode: 0o600 })
  const caBytes = Buffer.from(environment.caCertPem).toString('base64')
  const since = clock.monotonic()
  const [workloads] = await Promise.all([
    supervisor.start('workloads', [
      'workloads',
      '--kubeconfig',
      kubeconfig,
      '--dir',
      join(environment.dir, 'pods'),
      '--images',
      imagesFile,
      '--build',
      join(environment.packageRoot, 'dist'),
    ]),
    supervisor.start('controller', ['controller', '--kubeconfig', kubeconfig]),
    supervisor.start('injector', [
      'injector',
      '-listen=127.0.0.1:0',
      `-kubeconfig=${kubeconfig}`,
      `-vault-address=${environment.server.address}`,
      `-vault-image=${agentImage}`,
      `-vault-cacert-bytes=${caBytes}`,
      '-tls-auto=coffer-injector-cfg',
    ]),
  ])
  const isolation = workloads.ready.isolation ?? 'unknown'
  say(`controller, injector, pod runner (isolation of pods: ${isolation})`, since)
  return {
    server,
    kube,
    kubeconfig,
    cluster: { server: config.server, caPem: config.caPem ?? '' },
    isolation,
    envFile: writeEnvFile(environment, server, kubeconfig),
    readyMs: clock.monotonic() - started,
  }
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
  const lines = [
    `export VAULT_ADDR=${environment.server.address}`,
    `export VAULT_CACERT=${environment.server.caFile}`,
    `export VAULT_TOKEN=${server.rootToken.reveal()}`,
    `export KUBECONFIG=${kubeconfig}`,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  return file
}
