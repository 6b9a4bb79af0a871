/** Pods. */
import type { KubeObject } from '../../../../kube/client.ts'
import { at, ensureTree, numberAt, setDefault, type Tree, textAt, treesAt } from '../../tree.ts'
import type { BuiltInKind } from '../built-in.ts'
import { imageProblems } from './container-rules.ts'
import { podColumns } from './pod-columns.ts'
import { fillPodOnly, fillPodSpec, qosClass } from './pod-defaults.ts'
import { podSpecProblems, podUpdateProblems } from './pod-rules.ts'
import { podStatusProblems } from './pod-status-rules.ts'
import { hostnameWarnings, podSpecWarnings } from './pod-warnings.ts'

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
  rowConditions: completion,
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
    // Of two that differ the one counts that old kubelets know.
    const [first] = treesAt(status, 'podIPs')
    const ip = textAt(status, 'podIP')
    if (ip && ip !== textAt(first, 'ip')) status['podIPs'] = [{ ip }]
    else if (first) status['podIP'] = textAt(first, 'ip')
  },
  validate: (pod, before) => [
    ...podSpecProblems(pod['spec'], 'spec'),
    ...imageProblems(pod['spec']),
    ...(before ? podUpdateProblems(pod['spec'], before['spec']) : []),
  ],
  // Those who change pods are programs.
  warningsOf: (pod, before) => (before ? [] : [...hostnameWarnings(pod), ...podSpecWarnings(pod['spec'], 'spec')]),
  validateStatus: podStatusProblems,
  gracePeriodSeconds: podGrace,
}

/** kubectl leaves out pods that are done where it is asked to. */
function completion(pod: KubeObject): readonly Tree[] {
  const done: Readonly<Record<string, string>> = {
    Succeeded: 'The pod has completed successfully.',
    Failed: 'The pod failed.',
  }
  const phase = textAt(pod, 'status', 'phase') ?? ''
  const message = Object.hasOwn(done, phase) ? done[phase] : undefined
  return message === undefined ? [] : [{ type: 'Completed', status: 'True', reason: phase, message }]
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
