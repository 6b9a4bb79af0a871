import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { endInTime } from './stop-deadline.ts'

function watched(stop: AbortController) {
  const clock = new FakeClock(0)
  const exits: number[] = []
  // As a process that ends does, but that the test goes on.
  const exit = (status: number) => exits.push(status) as never
  const callOff = endInTime({ io: { stop: stop.signal, exit }, shutdownMs: 10_000, clock, log: silentLog })
  return { clock, exits, callOff }
}

it('a stop that does not come to its end is ended with status 1, counted from the signal', async () => {
  const stop = new AbortController()
  const { clock, exits } = watched(stop)
  await clock.advance(60_000)
  stop.abort(new Error('SIGTERM'))
  await clock.advance(14_999)
  expect(exits).toEqual([])
  await clock.advance(1)
  expect(exits).toEqual([1])
})

it('a signal that came before counts too', async () => {
  const stop = new AbortController()
  stop.abort(new Error('SIGTERM'))
  const { clock, exits } = watched(stop)
  await clock.advance(15_000)
  expect(exits).toEqual([1])
})

it('a server that has ended is not ended again', async () => {
  const stop = new AbortController()
  const { clock, exits, callOff } = watched(stop)
  stop.abort(new Error('SIGTERM'))
  callOff()
  await clock.advance(15_000)
  expect(exits).toEqual([])
})
