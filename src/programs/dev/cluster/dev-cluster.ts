/** The cluster of a run, whether it is our own embedded one or somebody's. */
import type { KubeClient, KubeObject } from '../../../kube/client.ts'

export interface DevCluster {
  readonly kube: KubeClient
  readonly server: string
  readonly caPem: string
  /** Where a person's kubectl finds it. */
  readonly kubeconfig: string
  /** The beginning of a kubectl command that reaches the run's namespace. */
  readonly kubectl: string
  /** What the demo and the pods of the run are in. */
  readonly namespace: string
  /** Where the service account lives that the server checks tokens with. */
  readonly systemNamespace: string
  /** Further arguments of each part: how it reaches the cluster and what it may touch there. */
  readonly arguments: Readonly<Record<'workloads' | 'controller' | 'injector', readonly string[]>>
  /** Whether ExternalSecrets may be written in v1beta1, as the published manifest is. */
  readonly servesBeta: boolean
  /** Set when other nodes are ready: what a pod has to say to come to ours. */
  readonly dedicatedNode: string | undefined
  /** The object where, and with the marks that, objects of this run have. */
  place(object: KubeObject, namespaced: boolean): KubeObject
  /** The injector serves at this address. */
  registerWebhook(address: string): Promise<void>
}
