/** What a change of a pod's status may not do (k8s.io/kubernetes/pkg/apis/core/validation, ValidatePodStatusUpdate). */
import { isIP } from 'node:net'
import type { KubeObject } from '../../../../kube/client.ts'
import { type FieldProblem, immutable, invalid } from '../../field-problem.ts'
import { numberAt, textAt, treesAt } from '../../tree.ts'
import { qualifiedNameProblems } from '../names.ts'

/** Conditions that Kubernetes itself writes; others carry a domain. */
const ownConditions = ['PodScheduled', 'Ready', 'Initialized', 'ContainersReady', 'DisruptionTarget']

export function podStatusProblems(pod: KubeObject, before: KubeObject): FieldProblem[] {
  const observed = numberAt(pod, 'status', 'observedGeneration') ?? 0
  const qos = textAt(pod, 'status', 'qosClass') ?? ''
  return [
    ...conditionProblems(pod),
    ...(observed < 0 ? [invalid('status.observedGeneration', observed, 'must be a non-negative integer')] : []),
    ...(qos === (textAt(before, 'status', 'qosClass') ?? '') ? [] : [immutable('status.qosClass', qos)]),
    ...addressProblems(pod, before, 'podIPs'),
    ...hostProblems(pod),
    ...addressProblems(pod, before, 'hostIPs'),
  ]
}

function conditionProblems(pod: KubeObject): FieldProblem[] {
  return treesAt(pod, 'status', 'conditions').flatMap((condition, index) => {
    const type = textAt(condition, 'type') ?? ''
    if (ownConditions.includes(type)) return []
    return qualifiedNameProblems(type).map((why) => invalid(`status.conditions[${index}].Type`, type, why))
  })
}

/** What was there before may stay as it is. */
function addressProblems(pod: KubeObject, before: KubeObject, member: 'podIPs' | 'hostIPs'): FieldProblem[] {
  const known = treesAt(before, 'status', member).map((entry) => textAt(entry, 'ip') ?? '')
  return treesAt(pod, 'status', member).flatMap((entry, index) => {
    const ip = textAt(entry, 'ip') ?? ''
    if (known.includes(ip) || isIP(ip) !== 0) return []
    return [invalid(`status.${member}[${index}]`, ip, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
  })
}

function hostProblems(pod: KubeObject): FieldProblem[] {
  const [first] = treesAt(pod, 'status', 'hostIPs')
  const ip = textAt(first, 'ip') ?? ''
  if (!first || ip === (textAt(pod, 'status', 'hostIP') ?? '')) return []
  return [invalid('status.hostIPs[0].ip', ip, 'must be equal to `hostIP`')]
}
