import { describe, expect, it } from 'vitest'
import type { Pod } from '../../../kube/object-types.ts'
import { type ContainerRecord, type ContainerState, podStatus } from './pod-status.ts'

const host = { nodeName: 'n', hostIp: '127.0.0.1' }
const now = Date.UTC(2026, 0, 2, 3, 4, 5)
const pod = (restartPolicy = 'Always', more: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', ...more },
  spec: { containers: [], restartPolicy },
})
const record = (state: ContainerState, restartCount = 0): ContainerRecord => ({
  name: 'c',
  image: 'i',
  id: '',
  state,
  restartCount,
})
const waiting: ContainerState = { waiting: { reason: 'ContainerCreating' } }
const running: ContainerState = { running: { startedAtMs: now } }
const ended = (exitCode: number): ContainerState => ({
  terminated: { exitCode, reason: exitCode ? 'Error' : 'Completed', startedAtMs: now, finishedAtMs: now },
})
const status = (p: Pod, init: ContainerState[], main: ContainerState[]) =>
  podStatus(p, { init: init.map((s) => record(s)), main: main.map((s) => record(s)), startedAtMs: now }, host, now)
const conditions = (s: ReturnType<typeof status>) => Object.fromEntries(s.conditions.map((c) => [c.type, c.status]))

describe('pod status', () => {
  it.each([
    ['Pending', 'Always', [waiting], [waiting]],
    ['Pending', 'Always', [running], [waiting]],
    ['Pending', 'Always', [ended(1)], [waiting]],
    ['Failed', 'Never', [ended(1)], [waiting]],
    ['Pending', 'Always', [ended(0)], [waiting]],
    ['Running', 'Always', [ended(0)], [running]],
    ['Running', 'Always', [], [running, waiting]],
    ['Running', 'Always', [], [ended(0)]],
    ['Succeeded', 'Never', [], [ended(0), ended(0)]],
    ['Failed', 'Never', [], [ended(0), ended(2)]],
    ['Succeeded', 'OnFailure', [], [ended(0)]],
    ['Running', 'OnFailure', [], [ended(2)]],
    ['Running', 'Never', [], [ended(0), running]],
  ])('%s with policy %s, init %j, containers %j', (phase, policy, init, main) => {
    expect(status(pod(policy), init, main).phase).toBe(phase)
  })

  it('is ready when all containers run, and not before the init containers ended well', () => {
    expect(conditions(status(pod(), [ended(0)], [running]))).toEqual({
      PodScheduled: 'True',
      Initialized: 'True',
      ContainersReady: 'True',
      Ready: 'True',
    })
    expect(conditions(status(pod(), [running], [waiting]))).toMatchObject({ Initialized: 'False', Ready: 'False' })
    expect(conditions(status(pod(), [], [running, waiting])).Ready).toBe('False')
  })

  it('a condition keeps its time while its status stays', () => {
    const before: Pod = {
      ...pod(),
      status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z' as never }] },
    }
    const ready = (s: ReturnType<typeof status>) => s.conditions.find((c) => c.type === 'Ready')?.lastTransitionTime
    expect(ready(status(before, [], [running]))).toBe('2020-01-01T00:00:00Z')
    expect(ready(status(before, [], [waiting]))).toBe('2026-01-02T03:04:05Z')
  })

  it('a container shows how its last run ended', () => {
    const crashed: ContainerRecord = {
      ...record({ waiting: { reason: 'CrashLoopBackOff', message: 'm' } }, 2),
      lastTerminated: { exitCode: 3, reason: 'Error', startedAtMs: now, finishedAtMs: now },
    }
    const shown = podStatus(pod(), { init: [], main: [crashed], startedAtMs: now }, host, now)
    expect(shown.phase).toBe('Running')
    expect(shown.containerStatuses[0]).toMatchObject({
      restartCount: 2,
      ready: false,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'm' } },
      lastState: { terminated: { exitCode: 3, startedAt: '2026-01-02T03:04:05Z' } },
    })
  })
})
