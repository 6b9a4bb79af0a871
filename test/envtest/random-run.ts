/** What runs of random requests to both API servers share: how far they look, and what the requests are about. */
import { inject } from 'vitest'
import type { Cluster } from '../kube-contract/cluster.ts'
import { type ControlPlane, startControlPlane } from './control-plane.ts'

/** COFFER_SEED, COFFER_SEQUENCES and COFFER_STEPS look further than a usual run does. */
export const randomRun = (usual: { readonly sequences: number; readonly steps: number }) => ({
  firstSeed: Number(process.env['COFFER_SEED'] ?? 1),
  sequences: Number(process.env['COFFER_SEQUENCES'] ?? usual.sequences),
  steps: Number(process.env['COFFER_STEPS'] ?? usual.steps),
})

/** Of the version under test, without controllers: they write into what they look after whenever they like. */
export function startUncontrolled(): Promise<ControlPlane> {
  const minor = (inject('controlPlane')?.version ?? '').split('.').slice(0, 2).join('.')
  return startControlPlane({ minor, controllers: false })
}

/** A namespace with its account, which a controller makes otherwise. */
export async function makeNamespace(cluster: Cluster, name: string): Promise<void> {
  await cluster.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
  await cluster.post(`/api/v1/namespaces/${name}/serviceaccounts`, account)
}
