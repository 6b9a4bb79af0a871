import { array, assert, constantFrom, nat, oneof, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Deployment } from '../../../kube/object-types.ts'
import { type Generation, planRollout, type RolloutInput, sharesOf } from './rollout.ts'

const generation = (name: string, replicas: number, available = replicas): Generation => ({ name, replicas, available })
const input = (more: Partial<RolloutInput>): RolloutInput => ({
  desired: 4,
  maxSurge: 1,
  maxUnavailable: 1,
  current: generation('new', 0),
  old: [],
  ...more,
})
const plan = (more: Partial<RolloutInput>) => Object.fromEntries(planRollout(input(more)))

const deployment = (replicas: number, maxSurge: number | string, maxUnavailable: number | string): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: {
    replicas,
    selector: {},
    template: {},
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  },
})

describe('rollout', () => {
  it.each([
    ['a surge is rounded up, what may be missing down', 10, '25%', '25%', { maxSurge: 3, maxUnavailable: 2 }],
    ['numbers are taken as they are', 10, 4, 0, { maxSurge: 4, maxUnavailable: 0 }],
    ['one is missing when nothing may be on top', 10, 0, 0, { maxSurge: 0, maxUnavailable: 1 }],
    ['percentages that come to nothing are nothing', 3, '0%', '10%', { maxSurge: 0, maxUnavailable: 1 }],
    ['no more can be missing than there are', 2, 1, 5, { maxSurge: 1, maxUnavailable: 2 }],
    ['of none none is missing', 0, 0, 0, { maxSurge: 0, maxUnavailable: 0 }],
  ])('%s', (_what, replicas, surge, missing, expected) =>
    expect(sharesOf(deployment(replicas, surge, missing))).toEqual({ desired: replicas, ...expected }),
  )

  it.each([
    ['a first one gets all', {}, { new: 4 }],
    ['an update begins with the surge', { old: [generation('old', 4)] }, { new: 1, old: 3 }],
    ['goes on as new ones work', { current: generation('new', 2), old: [generation('old', 2)] }, { new: 3, old: 1 }],
    ['waits for new ones that do not', { current: generation('new', 2, 0), old: [generation('old', 3)] }, {}],
    [
      'drops broken old ones first',
      { current: generation('new', 1, 0), old: [generation('a', 2, 0), generation('b', 2)] },
      { a: 1 },
    ],
    ['scales down', { current: generation('new', 6) }, { new: 4 }],
  ])('%s', (_what, more, expected) => expect(plan(more)).toEqual(expected))

  it('never has too many pods, never takes working ones away that are needed, and always ends', () => {
    const limit = oneof(nat(5), constantFrom('0%', '25%', '50%', '100%'))
    const shape = record({
      desired: nat(6),
      maxSurge: limit,
      maxUnavailable: limit,
      old: array(nat(5), { maxLength: 3 }),
    })
    assert(
      property(shape, ({ desired, maxSurge, maxUnavailable, old }) => {
        const shares = sharesOf(deployment(desired, maxSurge, maxUnavailable))
        const least = desired - shares.maxUnavailable
        let current = generation('new', 0)
        let olds = old.map((replicas, i) => generation(`old${i}`, replicas))
        const total = () => [current, ...olds].reduce((sum, g) => sum + g.replicas, 0)
        const working = () => [current, ...olds].reduce((sum, g) => sum + g.available, 0)
        for (let step = 0; step < 60; step++) {
          const before = { total: total(), working: working() }
          const steps = planRollout({ ...shares, current, old: olds })
          const apply = (g: Generation) => {
            const replicas = steps.get(g.name) ?? g.replicas
            return { ...g, replicas, available: Math.min(g.available, replicas) }
          }
          current = apply(current)
          olds = olds.map(apply)
          expect(total()).toBeLessThanOrEqual(Math.max(desired + shares.maxSurge, before.total))
          expect(working()).toBeGreaterThanOrEqual(Math.min(least, before.working))
          // What was started works by the next look.
          current = { ...current, available: current.replicas }
        }
        expect([current.replicas, ...olds.map((g) => g.replicas)]).toEqual([desired, ...olds.map(() => 0)])
      }),
    )
  })
})
