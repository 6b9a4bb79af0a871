import { describe, expect, it } from 'vitest'
import { HmacSha256 } from '../../../../lib/hmac-sha256/hmac-sha256.ts'
import { type Entry, LineQueue } from './line-queue.ts'

const hmac = new HmacSha256(Buffer.alloc(32, 1))
const settled = { resolve() {}, reject() {} }
const short = (name: string): Entry => ({ bodies: [name], ...settled })
const long = (name: string): Entry => ({
  bodies: [],
  long: [{ pieces: [Buffer.from(name)], parts: hmac.begin() }],
  ...settled,
})
const about = (checkpoint: 'checkpoint' | 'closed'): Entry => ({ bodies: [checkpoint], checkpoint, ...settled })
const names = (group: readonly Entry[]) =>
  group.map(({ bodies, long: [body] = [] }) => bodies[0] ?? Buffer.concat(body?.pieces ?? []).toString())

function queued(...entries: Entry[]) {
  const queue = new LineQueue()
  for (const entry of entries) queue.push(entry)
  return queue
}

describe('what goes out next', () => {
  it('is all that waits, where nothing is long', () => {
    const queue = queued(short('a'), short('b'), about('checkpoint'))
    expect(names(queue.take())).toEqual(['a', 'b', 'checkpoint'])
    expect([queue.length, queue.chars, queue.lines]).toEqual([0, 0, 0])
  })

  it('is short ones and long ones in turn, however many of one kind wait', () => {
    const queue = queued(long('A'), long('B'), short('c'), long('D'), short('e'))
    expect(names(queue.take())).toEqual(['c', 'e'])
    queue.push(short('f'))
    expect(names(queue.take())).toEqual(['A'])
    queue.push(short('g'))
    expect(names(queue.take())).toEqual(['f', 'g'])
    expect(names(queue.take())).toEqual(['B'])
    expect(names(queue.take())).toEqual(['D'])
    expect([queue.length, queue.chars, queue.lines, queue.longBytes]).toEqual([0, 0, 0, 0])
  })

  it('takes time that grows with what waits, and not with its square', () => {
    const took = (count: number) => {
      const queue = queued(long('A'), ...Array.from({ length: count }, (_, i) => short(String(i))))
      const before = process.cpuUsage().user
      expect(queue.take()).toHaveLength(count)
      return process.cpuUsage().user - before
    }
    took(1000)
    expect(took(100_000)).toBeLessThan(1_000_000)
  })

  it('is a line about the chain only when nothing that came before it waits', () => {
    const queue = queued(short('a'), about('checkpoint'), long('B'), short('c'), about('closed'))
    expect(names(queue.take())).toEqual(['a', 'checkpoint', 'c'])
    expect(names(queue.take())).toEqual(['B'])
    expect(names(queue.take())).toEqual(['closed'])
  })
})
