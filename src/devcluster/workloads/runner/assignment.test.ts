import { describe, expect, it } from 'vitest'
import type { Pod } from '../../../kube/object-types.ts'
import { assignmentOf } from './assignment.ts'

const pod = (spec: object, more: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { containers: [], ...spec },
  ...more,
})
const labels = { 'kubernetes.io/hostname': 'ours', 'kubernetes.io/os': 'linux' }
const alone = { nodeName: 'ours', labels, shared: false }
const shared = { ...alone, shared: true }

describe('which pods a runner takes that nobody has placed', () => {
  it('alone: all that its labels fit', () => {
    expect(assignmentOf(pod({}), alone)).toBe('take')
    expect(assignmentOf(pod({ nodeSelector: { 'kubernetes.io/os': 'linux' } }), alone)).toBe('take')
    expect(assignmentOf(pod({ nodeSelector: { disk: 'ssd' } }), alone)).toBe('no match')
  })

  it('beside ready nodes: only what names it', () => {
    expect(assignmentOf(pod({}), shared)).toBe('leave')
    expect(assignmentOf(pod({ nodeSelector: { 'kubernetes.io/os': 'linux' } }), shared)).toBe('leave')
    expect(assignmentOf(pod({ nodeSelector: { 'kubernetes.io/hostname': 'other' } }), shared)).toBe('leave')
    expect(assignmentOf(pod({ nodeSelector: { 'kubernetes.io/hostname': 'ours' } }), shared)).toBe('take')
    expect(assignmentOf(pod({ nodeSelector: { 'kubernetes.io/hostname': 'ours', disk: 'ssd' } }), shared)).toBe('leave')
  })

  it.each([
    ['a pod that is placed', pod({ nodeName: 'other' })],
    ["another scheduler's pod", pod({ schedulerName: 'mine' })],
    ['a pod behind a scheduling gate', pod({ schedulingGates: [{ name: 'g' }] })],
    ['a pod that ended', pod({}, { status: { phase: 'Failed' } })],
  ])('never %s', (_what, one) => {
    expect(assignmentOf(one, alone)).toBe('leave')
  })

  it('never a pod that is being deleted', () => {
    const one = pod({})
    one.metadata.deletionTimestamp = '2026-01-01T00:00:00Z'
    expect(assignmentOf(one, alone)).toBe('leave')
  })
})
