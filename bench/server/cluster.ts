/** The development cluster, for logins that ask it whose token this is. */
import { mkdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { serviceAccounts, type TokenRequest } from '../../src/kube/object-types.ts'
import { createKubeClient } from '../../src/kube/rest-client.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLog } from '../../src/lib/log.ts'
import { systemRandom } from '../../src/lib/random.ts'
import { type Coffer, root } from './coffer.ts'
import { startProgram, stopProgram } from './processes.ts'

export interface Cluster {
  readonly pid: number
  /** A role at auth/kubernetes, and the body of a login as the service account that may use it. */
  loginBody(coffer: Coffer, rootToken: string): Promise<string>
  stop(): Promise<void>
}

const account = { namespace: 'default', name: 'bench' }

export async function startCluster(folder: string): Promise<Cluster> {
  mkdirSync(folder, { recursive: true })
  const { child, pid, said } = await startProgram({
    what: 'the development cluster',
    command: [process.execPath, join(root, 'bin/coffer'), 'devcluster', '--dir', folder],
    env: { HOME: folder },
    ready: (_, output) => /^KUBECONFIG=(.+)$/m.exec(output)?.[1],
  })
  const config = await loadKubeConfig({
    path: said,
    env: {},
    clock: systemClock,
    readFile: (path) => readFile(path, 'utf8'),
  })
  const kube = createKubeClient({ config, clock: systemClock, random: systemRandom, log: silentLog })
  return {
    pid,
    async loginBody(coffer, rootToken) {
      await kube.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: account })
      const request = await kube.post<TokenRequest>(serviceAccounts, account, 'token', {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        metadata: {},
        spec: { audiences: [], expirationSeconds: 86_400 },
      })
      await coffer.call('POST', 'sys/auth/kubernetes', { type: 'kubernetes' }, rootToken)
      const settings = {
        kubernetes_host: config.server,
        kubernetes_ca_cert: config.caPem,
        // The cluster's administrator: who may review is no matter of speed.
        token_reviewer_jwt: /"token": "([^"]+)"/.exec(readFileSync(said, 'utf8'))?.[1],
        disable_local_ca_jwt: true,
      }
      await coffer.call('POST', 'auth/kubernetes/config', settings, rootToken)
      const role = {
        bound_service_account_names: account.name,
        bound_service_account_namespaces: account.namespace,
        token_policies: 'default',
        token_ttl: '1h',
      }
      await coffer.call('POST', 'auth/kubernetes/role/bench', role, rootToken)
      return JSON.stringify({ role: 'bench', jwt: request.status?.token })
    },
    async stop() {
      await kube.close()
      await stopProgram(child)
    },
  }
}
