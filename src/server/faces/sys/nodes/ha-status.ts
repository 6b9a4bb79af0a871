/** sys/ha-status: the nodes that are unsealed, each of them active. */
import { operation, type Route } from '../../../contracts/request.ts'
import type { NodeRow } from './node-registry.ts'

export interface HaStatusOptions {
  readonly nodes: { list(): Promise<readonly NodeRow[]> }
  /** Of the storage. */
  readonly format: () => number
}

export function haStatusRoute({ nodes, format }: HaStatusOptions): Route {
  const read = operation({
    input: {},
    namespaces: 'root',
    handle: async () => ({
      kind: 'data',
      data: { nodes: (await nodes.list()).map(memberOf), coffer_storage_format: format() },
      topLevel: true,
    }),
  })
  return { path: 'ha-status', summary: 'The nodes of the cluster.', on: { read } }
}

const memberOf = ({ node, apiAddress, version, cofferVersion, knows }: NodeRow) => ({
  hostname: node,
  api_address: apiAddress,
  cluster_address: '',
  active_node: true,
  last_echo: null,
  version,
  upgrade_version: version,
  coffer_version: cofferVersion,
  /** The newest that it knows; rows are written in the cluster's. */
  coffer_storage_format: knows,
})
