import type { Worker } from 'node:cluster'
import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { InTransit } from './in-transit.ts'

/** As much of Node's worker as is looked at. */
function member(transit: InTransit) {
  const child = Object.assign(new EventEmitter(), { send: () => true, disconnect: () => {} })
  let gone = 0
  const worker = { process: child, disconnect: () => (gone += 1) } as unknown as Worker
  transit.watch(worker)
  const send = child.send as (...given: readonly unknown[]) => boolean
  return {
    child,
    offer: (seq: number, handle: object) => send({ cmd: 'NODE_CLUSTER', act: 'newconn', seq }, handle),
    answer: (seq: number, accepted: boolean) => child.emit('internalMessage', { ack: seq, accepted }),
    gone: () => gone,
  }
}

function handle() {
  const closed: string[] = []
  return { closed, close: () => void closed.push('closed') }
}

it('a connection that a worker did not live to take is closed, one that it took is not', () => {
  const { offer, answer, child } = member(new InTransit())
  const [taken, lost] = [handle(), handle()]
  offer(1, taken)
  offer(2, lost)
  answer(1, true)
  child.emit('exit')
  expect([taken.closed, lost.closed]).toEqual([[], ['closed']])
})

it('Node is told of the end of a worker, by whichever sign it comes: it would listen for ever', () => {
  const first = member(new InTransit())
  first.child.emit('exit')
  expect(first.gone()).toBe(1)
  const second = member(new InTransit())
  second.offer(1, handle())
  second.child.disconnect()
  expect(second.gone()).toBe(1)
})

it('a connection that one refused and another was asked to take is not closed with the first', () => {
  const transit = new InTransit()
  const [first, second] = [member(transit), member(transit)]
  const one = handle()
  first.offer(1, one)
  // Node, which hears the answer first, asks another.
  second.offer(2, one)
  first.answer(1, false)
  first.child.emit('exit')
  transit.end()
  expect(one.closed).toEqual([])
  second.answer(2, true)
  second.child.emit('exit')
  expect(one.closed).toEqual([])
})

it('a connection that nobody takes any more, since the node stops, is closed at once', () => {
  const transit = new InTransit()
  const { offer, answer } = member(transit)
  const [before, after] = [handle(), handle()]
  offer(1, before)
  answer(1, false)
  offer(2, after)
  expect(before.closed).toEqual([])
  transit.end()
  expect([before.closed, after.closed]).toEqual([['closed'], []])
  answer(2, false)
  expect(after.closed).toEqual(['closed'])
})
