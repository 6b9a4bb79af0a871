import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { flushed } from './flushed.ts'

/** A pipe whose reader takes a piece when it is asked to. */
function pipe() {
  const taken: string[] = []
  let read = () => {}
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      read = () => {
        taken.push(chunk.toString())
        done()
      }
    },
  })
  return { stream, taken, read: () => read() }
}

function waiting(...streams: Writable[]) {
  const clock = new FakeClock(0)
  const seen = { over: false }
  const done = flushed(streams, clock).then(() => {
    seen.over = true
  })
  return { clock, seen, done }
}

it('waits for all that was written, and no longer', async () => {
  const { stream, taken, read } = pipe()
  stream.write('one')
  stream.write('two')
  const { clock, seen, done } = waiting(stream, pipe().stream)
  read()
  await clock.advance(999)
  expect(seen.over).toBe(false)
  read()
  await new Promise((resolve) => setImmediate(resolve))
  read()
  await done
  expect(taken.slice(0, 2)).toEqual(['one', 'two'])
})

it('gives a reader up that reads nothing', async () => {
  const { stream } = pipe()
  stream.write('one')
  const { clock, done } = waiting(stream)
  await clock.advance(1000)
  await done
})
