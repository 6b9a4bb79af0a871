/** A pod's status from what its containers do: pure. */
import type { Pod } from '../../../kube/object-types.ts'
import type { HostFacts } from './field-ref.ts'

export type ContainerState =
  | { readonly waiting: { readonly reason: string; readonly message?: string } }
  | { readonly running: { readonly startedAtMs: number } }
  | { readonly terminated: Terminated }
export interface Terminated {
  readonly exitCode: number
  readonly reason: string
  readonly message?: string
  readonly startedAtMs: number
  readonly finishedAtMs: number
}
export interface ContainerRecord {
  readonly name: string
  readonly image: string
  readonly id: string
  readonly state: ContainerState
  readonly lastTerminated?: Terminated
  readonly restartCount: number
}
export interface PodRecord {
  readonly init: readonly ContainerRecord[]
  readonly main: readonly ContainerRecord[]
  readonly startedAtMs: number
}

const ownConditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready']
export const isOwnCondition = ({ type }: { readonly type: string }) => ownConditions.includes(type)
const timestamp = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`

export function podStatus(pod: Pod, record: PodRecord, host: HostFacts, nowMs: number) {
  const initialized = record.init.every(succeeded)
  const ready = initialized && record.main.every((container) => 'running' in container.state)
  const phase = phaseOf(pod, record, initialized)
  const condition = (type: string, is: boolean, reason?: string, message?: string) => {
    const status = is ? 'True' : 'False'
    const before = pod.status?.conditions?.find((candidate) => candidate.type === type)
    const same = before?.status === status && before.lastTransitionTime
    return {
      type,
      status,
      lastProbeTime: null,
      lastTransitionTime: same ? String(before.lastTransitionTime) : timestamp(nowMs),
      ...(is || reason === undefined ? {} : { reason, message }),
    }
  }
  // Readiness gates and what controllers say of the pod: not ours to take away.
  const others = (pod.status?.conditions ?? []).filter((one) => !isOwnCondition(one))
  const notDone = record.init.filter((container) => !succeeded(container)).map((container) => container.name)
  const notReady = record.main.filter((container) => !('running' in container.state)).map((container) => container.name)
  const over = phase === 'Succeeded' ? 'PodCompleted' : 'ContainersNotReady'
  const unready = `containers with unready status: [${notReady.join(' ')}]`
  return {
    phase,
    hostIP: host.hostIp,
    hostIPs: [{ ip: host.hostIp }],
    podIP: host.hostIp,
    podIPs: [{ ip: host.hostIp }],
    startTime: timestamp(record.startedAtMs),
    conditions: [
      ...others,
      condition('PodScheduled', true),
      condition(
        'Initialized',
        initialized,
        'ContainersNotInitialized',
        `containers with incomplete status: [${notDone.join(' ')}]`,
      ),
      condition('ContainersReady', ready, over, unready),
      condition('Ready', ready, over, unready),
    ],
    ...(record.init.length > 0
      ? { initContainerStatuses: record.init.map((c) => containerStatus(c, succeeded(c))) }
      : {}),
    containerStatuses: record.main.map((c) => containerStatus(c, 'running' in c.state)),
  }
}

const succeeded = ({ state }: ContainerRecord) => 'terminated' in state && state.terminated.exitCode === 0

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed'

function phaseOf(pod: Pod, record: PodRecord, initialized: boolean): Phase {
  const never = pod.spec?.restartPolicy === 'Never'
  const failed = ({ state }: ContainerRecord) => 'terminated' in state && state.terminated.exitCode !== 0
  if (!initialized) return never && record.init.some(failed) ? 'Failed' : 'Pending'
  const over = pod.metadata.deletionTimestamp !== undefined || pod.spec?.restartPolicy !== 'Always'
  if (over && record.main.every(({ state }) => 'terminated' in state)) {
    if (record.main.every(succeeded)) return 'Succeeded'
    // With OnFailure a failed container comes again, unless the pod is being deleted.
    return never || pod.metadata.deletionTimestamp !== undefined ? 'Failed' : 'Running'
  }
  const begun = ({ state, restartCount }: ContainerRecord) => !('waiting' in state) || restartCount > 0
  return record.main.some((c) => begun(c) || c.lastTerminated !== undefined) ? 'Running' : 'Pending'
}

function containerStatus(record: ContainerRecord, ready: boolean) {
  return {
    name: record.name,
    image: record.image,
    imageID: record.image,
    ...(record.id === '' ? {} : { containerID: record.id }),
    ready,
    started: 'running' in record.state,
    restartCount: record.restartCount,
    state: shownState(record.state),
    lastState: record.lastTerminated ? shownState({ terminated: record.lastTerminated }) : {},
  }
}

function shownState(state: ContainerState): object {
  if ('running' in state) return { running: { startedAt: timestamp(state.running.startedAtMs) } }
  if ('waiting' in state) return state
  const { startedAtMs, finishedAtMs, ...rest } = state.terminated
  return { terminated: { ...rest, startedAt: timestamp(startedAtMs), finishedAt: timestamp(finishedAtMs) } }
}
