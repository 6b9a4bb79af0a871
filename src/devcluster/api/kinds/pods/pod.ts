/** Pods. */
import type { KubeObject } from '../../../../kube/client.ts'
import { at, ensureTree, numberAt, setDefault, textAt, treesAt } from '../../tree.ts'
import type { BuiltInKind } from '../built-in.ts'
import { podColumns } from './pod-columns.ts'
import { fillPodOnly, fillPodSpec, qosClass } from './pod-defaults.ts'
import { podSpecProblems, podUpdateProblems } from './pod-rules.ts'

export const podKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  type: 'core.Pod',
  shortNames: ['po'],
  categories: ['all'],
  subresources: { status: true },
  columns: podColumns,
  generation: 'spec',
  answersDeleted: true,
  statusLeaves: [
    ['metadata', 'ownerReferences'],
    ['metadata', 'deletionTimestamp'],
  ],
  selectableFields: [
    'spec.hostNetwork',
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'status.phase',
    'status.nominatedNodeName',
    'status.podIP',
    'status.podIPs',
  ],
  fieldValue: podField,
  fillDefaults: (pod) => {
    const spec = ensureTree(pod, 'spec')
    fillPodSpec(spec)
    fillPodOnly(spec)
  },
  prepareCreate: (pod) => {
    pod['status'] = { phase: 'Pending', qosClass: qosClass(pod['spec']) }
  },
  // Old kubelets leave it out.
  prepareStatus: (pod, before) => {
    const status = ensureTree(pod, 'status')
    setDefault(status, 'qosClass', textAt(before, 'status', 'qosClass'))
    if (textAt(status, 'podIP')) setDefault(status, 'podIPs', [{ ip: status['podIP'] }])
    if (textAt(status, 'hostIP')) setDefault(status, 'hostIPs', [{ ip: status['hostIP'] }])
  },
  validate: (pod, before) => [
    ...podSpecProblems(pod['spec'], 'spec'),
    ...(before ? podUpdateProblems(pod['spec'], before['spec']) : []),
  ],
  gracePeriodSeconds: podGrace,
}

function podField(pod: KubeObject, field: string): string {
  if (field === 'spec.hostNetwork') return String(at(pod, 'spec', 'hostNetwork') === true)
  if (field === 'status.podIPs')
    return treesAt(pod, 'status', 'podIPs')
      .map((entry) => textAt(entry, 'ip'))
      .join(',')
  return textAt(pod, ...field.split('.')) ?? ''
}

function podGrace(pod: KubeObject, asked: number | undefined): number {
  const phase = textAt(pod, 'status', 'phase')
  // Nobody runs it (yet, or any more): nobody needs time.
  if (!textAt(pod, 'spec', 'nodeName') || phase === 'Succeeded' || phase === 'Failed') return 0
  const seconds = asked ?? numberAt(pod, 'spec', 'terminationGracePeriodSeconds') ?? 0
  return seconds < 0 ? 1 : seconds
}

export interface PodContainerNames {
  readonly init: readonly string[]
  readonly regular: readonly string[]
}

export function containerNames(pod: KubeObject): PodContainerNames {
  const names = (member: string) => treesAt(pod, 'spec', member).map((container) => textAt(container, 'name') ?? '')
  return { init: names('initContainers'), regular: names('containers') }
}
