/** What tests do to servers while clients write, and what all of them expect of the history afterwards. */
import { expect } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import type { Chance } from './chance.ts'
import type { Clients } from './clients.ts'
import { findUnexplained } from './linearizable.ts'

interface Load {
  readonly clients: Clients
  readonly chance: Chance
  readonly strikes: number
}

/** Each time at a random moment among requests that are answered. */
export async function strikeUnderLoad(
  { clients, chance, strikes }: Load,
  strike: (strike: number) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < strikes; i += 1) {
    await clients.progress(30)
    await systemClock.sleep(chance.below(256))
    await strike(i)
    if (i % 3 === 2) clients.newKeys()
  }
}

/** Of a history in which everything happened that can: else it has proved little. `healed`: before all is read. */
export async function expectExplained(clients: Clients, healed?: () => Promise<unknown>): Promise<void> {
  await clients.progress(30)
  await clients.stop()
  await healed?.()
  await clients.readAll()
  expect(findUnexplained(clients.history)).toBeUndefined()
  const kinds = new Set(clients.history.map(({ told }) => told.kind))
  expect([...kinds].sort()).toEqual(['deleted', 'found', 'refused', 'unknown', 'wrote'])
}
