/** The embedded development cluster: a child process that ends with us. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { customResourceDefinitions as definitions } from '../../../controller/crds/definitions.ts'
import { loadKubeConfig } from '../../../kube/kubeconfig.ts'
import { customResourceDefinitions } from '../../../kube/object-types.ts'
import { createKubeClient } from '../../../kube/rest-client.ts'
import type { Clock } from '../../../lib/clock.ts'
import { silentLog } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { inDefaultNamespace } from '../apply.ts'
import type { Environment } from '../environment.ts'
import type { Supervisor } from '../supervisor.ts'
import type { DevCluster } from './dev-cluster.ts'

export async function startEmbedded(options: {
  readonly environment: Environment
  readonly supervisor: Supervisor
  readonly clock: Clock
  readonly random: RandomBytes
}): Promise<DevCluster> {
  const { environment, supervisor, clock, random } = options
  const dir = join(environment.dir, 'cluster')
  const child = await supervisor.start('cluster', ['devcluster', '--dir', dir])
  const kubeconfig = child.ready.kubeconfig ?? join(dir, 'kubeconfig')
  const read = (path: string) => readFile(path, 'utf8')
  const config = await loadKubeConfig({ path: kubeconfig, env: environment.childEnv, clock, readFile: read })
  const kube = createKubeClient({ config, clock, random, log: silentLog })
  for (const definition of definitions())
    await kube.apply(customResourceDefinitions, definition, { fieldManager: 'coffer-dev', force: true })
  return {
    kube,
    server: config.server,
    caPem: config.caPem ?? '',
    kubeconfig,
    kubectl: 'kubectl',
    namespace: 'default',
    systemNamespace: 'kube-system',
    arguments: {
      workloads: ['--kubeconfig', kubeconfig],
      controller: ['--kubeconfig', kubeconfig],
      injector: ['-listen=127.0.0.1:0', `-kubeconfig=${kubeconfig}`, '-tls-auto=coffer-injector-cfg'],
    },
    servesBeta: true,
    dedicatedNode: undefined,
    place: inDefaultNamespace,
    // The injector registers itself: the whole cluster is ours.
    registerWebhook: async () => {},
  }
}
