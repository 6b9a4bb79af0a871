/** Paths that clients of Vault ask only to learn that a feature is not there. */
import { operation, type Route } from '../../../../contracts/request.ts'

const disabled = { mode: 'disabled' }

export function compatibilityRoutes(): Route[] {
  const status = (data: Record<string, { mode: string }> | { mode: string }) =>
    operation({ input: {}, access: 'public', handle: async () => ({ kind: 'data', data: { ...data } }) })
  const experiments = operation({
    input: {},
    namespaces: 'root',
    handle: async () => ({ kind: 'data', data: { available: [], enabled: [] } }),
  })
  return [
    {
      path: 'replication/status',
      summary: 'Replication between clusters: none.',
      on: { read: status({ dr: disabled, performance: disabled }) },
    },
    { path: 'replication/dr/status', summary: 'Disaster recovery: none.', on: { read: status(disabled) } },
    { path: 'replication/performance/status', summary: 'Performance replicas: none.', on: { read: status(disabled) } },
    { path: 'experiments', summary: 'Experiments: none.', on: { read: experiments } },
  ]
}
