import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import type { Member } from './member.ts'
import { Supervisor } from './supervisor.ts'

function start(workers: number) {
  const clock = new FakeClock(0)
  const forked: number[] = []
  const lost: number[] = []
  const running = new Map<number, { member: Member; end: () => void; said: string[] }>()
  const supervisor = new Supervisor({
    ...{ clock, log: silentLog, workers },
    lost: ({ number }) => lost.push(number),
    fork: (number) => {
      forked.push(number)
      const said: string[] = []
      let end = () => {}
      const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
        end = () => resolve({ code: 1, signal: null })
      })
      const member = {
        ...{ number, ended, seated: true, storageOpen: false, role: number === 0 ? 'housekeeper' : 'worker', pid: 1 },
        channel: { tell: (name: string) => said.push(name) },
        kill: (signal: string) => {
          said.push(signal)
          end()
        },
      } as unknown as Member
      running.set(number, { member, end, said })
      return member
    },
  })
  const settle = async () => {
    for (let i = 0; i < 10; i += 1) await Promise.resolve()
  }
  const open = (number: number) => {
    const found = running.get(number)
    if (found) found.member.storageOpen = true
    supervisor.storageOpen()
  }
  return { clock, forked, lost, running, supervisor, settle, open }
}

it('workers wait until one process, alone, has opened the storage', () => {
  const { forked, supervisor, open } = start(2)
  supervisor.start()
  expect(forked).toEqual([0])
  open(0)
  expect(forked).toEqual([0, 1, 2])
})

it('what ends is started anew, ever later while it ends at once, soon when it had lived', async () => {
  const { clock, forked, lost, running, supervisor, settle, open } = start(1)
  supervisor.start()
  open(0)
  supervisor.settled()
  const pauses: number[] = []
  for (let i = 0; i < 9; i += 1) {
    const before = forked.length
    running.get(1)?.end()
    await settle()
    let waited = 0
    while (forked.length === before) {
      await clock.advance(100)
      waited += 100
      await settle()
    }
    pauses.push(waited)
  }
  expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
  await clock.advance(10_000)
  running.get(1)?.end()
  await settle()
  await clock.advance(100)
  await settle()
  expect(forked.filter((number) => number === 1)).toHaveLength(11)
  expect(lost).toHaveLength(10)
})

it('an end before the server has served is a failed start', async () => {
  const { forked, running, supervisor, settle, open } = start(1)
  supervisor.start()
  open(0)
  running.get(1)?.end()
  await supervisor.failedStart
  await settle()
  expect(forked).toEqual([0, 1])
})

it('after all have died workers wait again for the one that opens, and may have to check, the storage', async () => {
  const { clock, forked, running, supervisor, settle, open } = start(2)
  supervisor.start()
  open(0)
  supervisor.settled()
  for (const { end } of running.values()) end()
  await settle()
  forked.splice(0)
  await clock.advance(100)
  await settle()
  expect(forked).toEqual([0])
  open(0)
  expect(forked).toEqual([0, 1, 2])
})

it('workers are asked to stop before the housekeeper, and who does not is ended', async () => {
  const { clock, running, supervisor, settle, open } = start(2)
  supervisor.start()
  open(0)
  supervisor.settled()
  const stopped = supervisor.stop(10_000)
  await settle()
  running.get(1)?.end()
  await settle()
  expect([0, 1, 2].map((number) => running.get(number)?.said)).toEqual([[], ['stop'], ['stop']])
  await clock.advance(15_000)
  await settle()
  expect(running.get(2)?.said).toEqual(['stop', 'SIGKILL'])
  expect(running.get(0)?.said).toEqual(['stop'])
  running.get(0)?.end()
  await stopped
})

it('what cannot be ended, not even by a kill, is left behind: the stop comes to its end', async () => {
  const { clock, running, supervisor, settle, open } = start(1)
  supervisor.start()
  open(0)
  supervisor.settled()
  for (const { member, said } of running.values()) member.kill = (signal) => void said.push(signal)
  let done = false
  const stopped = supervisor.stop(10_000).then(() => {
    done = true
  })
  for (let i = 0; i < 21; i += 1) {
    await clock.advance(1000)
    await settle()
  }
  expect(done).toBe(false)
  for (let i = 0; i < 3; i += 1) {
    await clock.advance(1000)
    await settle()
  }
  await stopped
  expect([0, 1].map((number) => running.get(number)?.said)).toEqual([
    ['stop', 'SIGKILL'],
    ['stop', 'SIGKILL'],
  ])
})
