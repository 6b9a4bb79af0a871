/** The cells of `kubectl get pods` (k8s.io/kubernetes/pkg/printers/internalversion printPod). */
import type { KubeObject } from '../../../../kube/client.ts'
import type { Column } from '../../resource.ts'
import { at, isTree, numberAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { age, ageColumn, column, nameColumn } from '../columns.ts'

export const podColumns: readonly Column[] = [
  nameColumn,
  column('Ready', 'string', (pod) => readyText(pod)),
  column('Status', 'string', (pod) => podStatusText(pod)),
  column('Restarts', 'string', (pod, nowMs) => restartsText(pod, nowMs)),
  ageColumn,
  column('IP', 'string', (pod) => textAt(pod, 'status', 'podIP') ?? '<none>', 1),
  column('Node', 'string', (pod) => textAt(pod, 'spec', 'nodeName') ?? '<none>', 1),
  column('Nominated Node', 'string', (pod) => textAt(pod, 'status', 'nominatedNodeName') ?? '<none>', 1),
  column('Readiness Gates', 'string', () => '<none>', 1),
]

function readyText(pod: KubeObject): string {
  const statuses = treesAt(pod, 'status', 'containerStatuses')
  const sidecars = sidecarStatuses(pod)
  const total = treesAt(pod, 'spec', 'containers').length + sidecars.length
  const ready = [...statuses, ...sidecars].filter((status) => status['ready'] === true).length
  return `${ready}/${total}`
}

/** Init containers that keep running. */
function sidecarStatuses(pod: KubeObject): readonly Tree[] {
  const names = sidecarNames(pod)
  return treesAt(pod, 'status', 'initContainerStatuses').filter((s) => names.has(textAt(s, 'name') ?? ''))
}

function sidecarNames(pod: KubeObject): Set<string> {
  return new Set(
    treesAt(pod, 'spec', 'initContainers')
      .filter((container) => container['restartPolicy'] === 'Always')
      .map((container) => textAt(container, 'name') ?? ''),
  )
}

export function podStatusText(pod: KubeObject): string {
  const phase = textAt(pod, 'status', 'phase') ?? ''
  const reason = textAt(pod, 'status', 'reason') ?? phase
  const init = initText(pod)
  const text = init ?? containersText(pod, reason)
  if (pod.metadata.deletionTimestamp && reason === 'NodeLost') return 'Unknown'
  const ended = phase === 'Succeeded' || phase === 'Failed'
  return pod.metadata.deletionTimestamp && !ended ? 'Terminating' : text
}

/** What holds up the initialisation; undefined when nothing does. */
function initText(pod: KubeObject): string | undefined {
  const total = treesAt(pod, 'spec', 'initContainers').length
  const sidecars = sidecarNames(pod)
  for (const [index, status] of treesAt(pod, 'status', 'initContainerStatuses').entries()) {
    const ended = treeAt(status, 'state', 'terminated')
    if (ended && numberAt(ended, 'exitCode') === 0) continue
    if (sidecars.has(textAt(status, 'name') ?? '') && status['started'] === true) continue
    if (ended) return `Init:${endText(ended)}`
    const waiting = textAt(status, 'state', 'waiting', 'reason') ?? ''
    return waiting !== '' && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${total}`
  }
  return undefined
}

function endText(terminated: Tree): string {
  const reason = textAt(terminated, 'reason') ?? ''
  if (reason !== '') return reason
  const signal = numberAt(terminated, 'signal') ?? 0
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${numberAt(terminated, 'exitCode') ?? 0}`
}

function containersText(pod: KubeObject, reason: string): string {
  let text = reason
  let running = false
  for (const status of [...treesAt(pod, 'status', 'containerStatuses')].reverse()) {
    const waiting = textAt(status, 'state', 'waiting', 'reason') ?? ''
    const ended = treeAt(status, 'state', 'terminated')
    if (waiting !== '') text = waiting
    else if (ended) text = endText(ended)
    else if (status['ready'] === true && isTree(at(status, 'state', 'running'))) running = true
  }
  if (text !== 'Completed' || !running) return text
  const ready = treesAt(pod, 'status', 'conditions').some((c) => c['type'] === 'Ready' && c['status'] === 'True')
  return ready ? 'Running' : 'NotReady'
}

function restartsText(pod: KubeObject, nowMs: number): string {
  const statuses = [...treesAt(pod, 'status', 'containerStatuses'), ...sidecarStatuses(pod)]
  const initialising = treesAt(pod, 'status', 'initContainerStatuses')
  const counted = initText(pod) === undefined ? statuses : initialising
  const restarts = counted.reduce((sum, status) => sum + (numberAt(status, 'restartCount') ?? 0), 0)
  const last = counted
    .map((status) => textAt(status, 'lastState', 'terminated', 'finishedAt') ?? '')
    .sort()
    .at(-1)
  return restarts > 0 && last ? `${restarts} (${age(last, nowMs)} ago)` : String(restarts)
}
