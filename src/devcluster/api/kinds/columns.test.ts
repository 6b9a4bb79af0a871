import { describe, expect, it } from 'vitest'
import { humanDuration, selectorText } from './columns.ts'
import { podStatusText } from './pods/pod-columns.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('ages', () => {
  it.each([
    [-2 * second, '<invalid>'],
    [0, '0s'],
    [119 * second, '119s'],
    [2 * minute, '2m'],
    [2 * minute + 5 * second, '2m5s'],
    [10 * minute + 5 * second, '10m'],
    [179 * minute, '179m'],
    [3 * hour + 4 * minute, '3h4m'],
    [9 * hour + 4 * minute, '9h'],
    [47 * hour, '47h'],
    [2 * day + 3 * hour, '2d3h'],
    [9 * day, '9d'],
    [800 * day, '2y70d'],
  ])('%d ms is %s', (ms, text) => expect(humanDuration(ms)).toBe(text))
})

describe('the state of a pod', () => {
  const pod = (status: object, more: object = {}, spec: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', ...more },
    spec: { initContainers: [{ name: 'i1' }, { name: 'i2' }], containers: [{ name: 'c' }], ...spec },
    status,
  })
  const ended = { name: 'i1', state: { terminated: { exitCode: 0 } } }
  it.each([
    [pod({ phase: 'Pending' }), 'Pending'],
    [pod({ phase: 'Pending', initContainerStatuses: [ended, { name: 'i2', state: { running: {} } }] }), 'Init:1/2'],
    [
      pod({
        phase: 'Pending',
        initContainerStatuses: [{ name: 'i1', state: { waiting: { reason: 'CrashLoopBackOff' } } }],
      }),
      'Init:CrashLoopBackOff',
    ],
    [
      pod({ phase: 'Pending', initContainerStatuses: [{ name: 'i1', state: { terminated: { exitCode: 3 } } }] }),
      'Init:ExitCode:3',
    ],
    [pod({ phase: 'Running', containerStatuses: [{ name: 'c', ready: true, state: { running: {} } }] }), 'Running'],
    [
      pod({ phase: 'Running', containerStatuses: [{ name: 'c', state: { waiting: { reason: 'CrashLoopBackOff' } } }] }),
      'CrashLoopBackOff',
    ],
    [
      pod({
        phase: 'Succeeded',
        containerStatuses: [{ name: 'c', state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      }),
      'Completed',
    ],
    [pod({ phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:00Z' }), 'Terminating'],
  ])('of %o is %s', (object, text) => expect(podStatusText(object)).toBe(text))
})

describe('selectors', () => {
  it('read as kubectl writes them', () => {
    const expressions = [
      { key: 'a', operator: 'In', values: ['1', '2'] },
      { key: 'b', operator: 'DoesNotExist' },
    ]
    expect(selectorText({ matchLabels: { x: 'y' }, matchExpressions: expressions })).toBe('x=y,a in (1,2),!b')
    expect(selectorText({})).toBe('<none>')
  })
})
