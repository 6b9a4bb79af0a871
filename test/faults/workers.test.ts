/** A server with two workers over one LMDB: its processes are killed and put to sleep at random moments under load. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { alive, signalTo, until, WorkersNode } from '../e2e/workers-node.ts'
import { chanceOf, seed } from '../history/chance.ts'
import { startClients } from '../history/clients.ts'
import { kills, killsDeadlineMs } from '../history/kills.ts'
import { expectExplained, strikeUnderLoad } from '../history/under-load.ts'
import { askerOf } from './asker.ts'

const healMs = 60_000
let node: WorkersNode
beforeAll(async () => {
  node = await WorkersNode.start()
  await node.init()
  await node.request('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } })
})
afterAll(() => node?.close())

/** Both workers and the housekeeper, other ones than these. */
const startedAnew = (gone: readonly number[]) =>
  until(() => gone.every((pid) => !alive(pid)) && node.pids().length === 3, 'what ended is not started anew', healMs)

/** A worker may end between two looks at the sockets of all. */
async function housekeeper(): Promise<number> {
  let found: number | undefined
  const look = async () => {
    found = await node.housekeeper().catch(() => undefined)
    return found !== undefined && node.pids().length === 3
  }
  await until(look, 'there is no housekeeper', healMs)
  return found ?? 0
}

const eachOnce = ['any', 'housekeeper', 'all', 'sleep', 'first'] as const
type Fault = (typeof eachOnce)[number]

describe.runIf(process.platform === 'linux')('a server with two workers, killed under load', () => {
  it(
    `loses, tears and mixes up nothing that it acknowledged (${kills.workers} faults, COFFER_SEED=${seed})`,
    async () => {
      const chance = chanceOf('workers')
      const clients = startClients([askerOf(node)], 'kv', 6)
      const strike: Record<Fault, () => Promise<void>> = {
        any: async () => {
          const pid = chance.of(node.pids())
          signalTo(pid, 'SIGKILL')
          await startedAnew([pid])
        },
        housekeeper: async () => {
          const pid = await housekeeper()
          signalTo(pid, 'SIGKILL')
          await startedAnew([pid])
        },
        all: async () => {
          const pids = node.pids()
          for (const pid of pids) signalTo(pid, 'SIGKILL')
          await startedAnew(pids)
        },
        /** The others end with it, and nobody has the key any more. */
        first: async () => {
          const pids = node.pids()
          await node.end('SIGKILL')
          await until(() => !pids.some(alive), 'workers outlive the first process', healMs)
          await node.run()
          await node.unseal()
        },
        sleep: async () => {
          const pid = chance.of(node.pids())
          signalTo(pid, 'SIGSTOP')
          await systemClock.sleep(chance.below(1500))
          signalTo(pid, 'SIGCONT')
        },
      }
      await strikeUnderLoad({ clients, chance, strikes: kills.workers }, (i) =>
        strike[eachOnce[i] ?? chance.weighted({ any: 6, housekeeper: 3, all: 3, first: 2, sleep: 3 })](),
      )
      await expectExplained(clients)
    },
    killsDeadlineMs,
  )
})
