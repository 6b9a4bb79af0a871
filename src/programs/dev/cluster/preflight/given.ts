/** Somebody's cluster: looked at first, then joined with what a run needs, and left as it was. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isReady } from '../../../../devcluster/workloads/runner/node/neighbours.ts'
import type { KubeClient } from '../../../../kube/client.ts'
import { type KubeConfig, loadKubeConfig } from '../../../../kube/kubeconfig.ts'
import { nodes } from '../../../../kube/object-types.ts'
import { createKubeClient } from '../../../../kube/rest-client.ts'
import type { Clock } from '../../../../lib/clock.ts'
import { silentLog } from '../../../../lib/log.ts'
import type { RandomBytes } from '../../../../lib/random.ts'
import { type FoundDefinitions, findDefinitions } from '../definitions.ts'
import { isOurs, removalCommand, runName } from '../run-marks.ts'
import { type LocalAddress, localAddressTowards } from './local-address.ts'
import { findRival, otherRuns } from './others.ts'

export interface GivenCluster {
  readonly runId: string
  readonly config: KubeConfig
  /** Absolute. */
  readonly kubeconfig: string
  readonly context: string
  readonly version: string
  /** As whoever the kubeconfig says. */
  readonly kube: KubeClient
  readonly caPem: string
  readonly address: LocalAddress
  /** Nodes that are no run's. */
  readonly nodes: number
  readonly readyNodes: number
  readonly definitions: FoundDefinitions
  readonly otherRuns: readonly string[]
}

/** Nothing is written. Throws with what to do when a run can't be here. */
export async function lookAtCluster(options: {
  readonly kubeconfig: string
  readonly context: string | undefined
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: RandomBytes
}): Promise<GivenCluster> {
  const { clock, random, env } = options
  const kubeconfig = resolve(options.cwd, options.kubeconfig)
  const config = await loadKubeConfig({
    path: kubeconfig,
    ...(options.context === undefined ? {} : { context: options.context }),
    env,
    clock,
    readFile: (path) => readFile(path, 'utf8'),
  })
  const { caPem } = config
  if (!caPem || config.serverName)
    throw new Error(
      `${kubeconfig}: ${caPem ? 'tls-server-name is set' : 'the cluster has no certificate-authority'}; the server of this run needs a certificate authority and the API server's own name to check the tokens of pods`,
    )
  const address = await localAddressTowards(config.server)
  const runId = Buffer.from(random(4)).toString('hex')
  const kube = createKubeClient({ config, clock, random, log: silentLog, userAgent: 'coffer-dev' })
  try {
    const version = await versionOf(kube)
    const all = (await kube.list(nodes)).items.filter((node) => !isOurs(node))
    return {
      runId,
      config,
      kubeconfig,
      context: config.context ?? '',
      version,
      kube,
      caPem,
      address,
      nodes: all.length,
      readyNodes: all.filter(isReady).length,
      definitions: await findDefinitions(kube),
      otherRuns: await otherRuns(kube),
    }
  } catch (error) {
    await kube.close()
    throw error
  }
}

/** Why a run must not begin here; undefined: it may. */
export async function refusalOf(cluster: GivenCluster): Promise<string | undefined> {
  return cluster.definitions.problem ?? (await findRival(cluster.kube, cluster.runId))
}

async function versionOf(kube: KubeClient): Promise<string> {
  const answer = await kube.raw({ method: 'GET', path: '/version' })
  if (answer.status !== 200) throw new Error(`the API server answers /version with status ${answer.status}`)
  const document: { gitVersion?: string } = JSON.parse(answer.body)
  return document.gitVersion ?? 'unknown'
}

/** "host:port" of the API server, as the server's outbound list has it. */
export function hostAndPort(server: string): string {
  const { hostname, port } = new URL(server)
  return `${hostname}:${port || 443}`
}

/** What a person sees before anything is written. */
export function describeCluster(given: GivenCluster): string {
  const { definitions, otherRuns: others } = given
  const found =
    definitions.foreign.length > 0 ? `${definitions.foreign.join(', ')}: used as they are` : 'made and removed'
  const lines = [
    `context     ${given.context}  (${given.kubeconfig})`,
    `API server  ${given.config.server}  Kubernetes ${given.version}, ${given.nodes} nodes`,
    `reached     from ${given.address.ip}; the server, the webhook and the logs of pods listen there`,
    `namespace   ${runName(given.runId)}, removed at the end; with it the Node, ClusterRoles and webhook of that name`,
    `pods        of that namespace are processes of this machine: who may create pods there runs programs here, as you`,
    `definitions of External Secrets: ${found}`,
    ...others.map((one) => `other run   ${one}; if it is dead: ${removalCommand(one.split(' ')[0] ?? '')}`),
  ]
  return lines.map((line) => `   ${line}`).join('\n')
}
