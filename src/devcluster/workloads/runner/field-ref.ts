import type { Pod } from '../../../kube/object-types.ts'
import { ConfigProblem } from './config-problem.ts'

export interface HostFacts {
  readonly nodeName: string
  readonly hostIp: string
}

/** The downward API's fields (kubernetes.io, "Downward API"). Throws ConfigProblem on one that does not exist. */
export function fieldValue(pod: Pod, path: string, host: HostFacts): string {
  const { metadata } = pod
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path)
  if (keyed) return metadata[keyed[1] === 'labels' ? 'labels' : 'annotations']?.[keyed[2] ?? ''] ?? ''
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? ''
    case 'metadata.namespace':
      return metadata.namespace ?? ''
    case 'metadata.uid':
      return metadata.uid ?? ''
    case 'metadata.labels':
      return formatMap(metadata.labels)
    case 'metadata.annotations':
      return formatMap(metadata.annotations)
    case 'spec.nodeName':
      return host.nodeName
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default'
    case 'status.hostIP':
    case 'status.hostIPs':
    case 'status.podIP':
    case 'status.podIPs':
      // The network is the host's own: pods share its address.
      return host.hostIp
    default:
      throw new ConfigProblem(`unsupported fieldPath: ${path}`)
  }
}

/** `key="value"` lines with Go's quoting, as the kubelet writes them. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join('\n')
}
