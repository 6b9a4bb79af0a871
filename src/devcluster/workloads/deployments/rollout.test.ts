import { array, assert, constantFrom, nat, oneof, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { absolute, type Generation, planRollout, type RolloutInput } from './rollout.ts'

const generation = (name: string, replicas: number, available = replicas): Generation => ({ name, replicas, available })
const input = (more: Partial<RolloutInput>): RolloutInput => ({
  strategy: 'RollingUpdate',
  desired: 4,
  maxSurge: '25%',
  maxUnavailable: '25%',
  current: generation('new', 0),
  old: [],
  oldPods: 0,
  ...more,
})
const plan = (more: Partial<RolloutInput>) => Object.fromEntries(planRollout(input(more)))

describe('rollout', () => {
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
    [
      'Recreate ends the old ones first',
      { strategy: 'Recreate' as const, old: [generation('old', 4)], oldPods: 4 },
      { old: 0 },
    ],
    ['Recreate waits for their end', { strategy: 'Recreate' as const, old: [generation('old', 0)], oldPods: 1 }, {}],
    ['Recreate then starts the new ones', { strategy: 'Recreate' as const, old: [generation('old', 0)] }, { new: 4 }],
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
        const surge = absolute(maxSurge, desired, Math.ceil)
        const least = desired - Math.max(absolute(maxUnavailable, desired, Math.floor), surge === 0 ? 1 : 0)
        let current = generation('new', 0)
        let olds = old.map((replicas, i) => generation(`old${i}`, replicas))
        const total = () => [current, ...olds].reduce((sum, g) => sum + g.replicas, 0)
        const working = () => [current, ...olds].reduce((sum, g) => sum + g.available, 0)
        for (let step = 0; step < 60; step++) {
          const before = { total: total(), working: working() }
          const steps = planRollout(input({ desired, maxSurge, maxUnavailable, current, old: olds }))
          const apply = (g: Generation) => {
            const replicas = steps.get(g.name) ?? g.replicas
            return { ...g, replicas, available: Math.min(g.available, replicas) }
          }
          current = apply(current)
          olds = olds.map(apply)
          expect(total()).toBeLessThanOrEqual(Math.max(desired + surge, before.total))
          expect(working()).toBeGreaterThanOrEqual(Math.min(least, before.working))
          // What was started works by the next look.
          current = { ...current, available: current.replicas }
        }
        expect([current.replicas, ...olds.map((g) => g.replicas)]).toEqual([desired, ...olds.map(() => 0)])
      }),
    )
  })
})
