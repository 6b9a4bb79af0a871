import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createTurns } from '../../../../lib/turns.ts'
import { ChainDigest } from './chain-digest.ts'

const mib = 1024 * 1024
const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest('hex')

function counted() {
  const seen = { turns: 0 }
  const turns = createTurns()
  const next = () => {
    seen.turns += 1
    return turns.next()
  }
  return { digest: new ChainDigest({ next }), seen }
}

describe('the digest of a chain', () => {
  it('takes short lines at once and begins anew after each time it was asked', () => {
    const { digest, seen } = counted()
    digest.add(Buffer.from('a'))
    digest.add(Buffer.from('b'))
    expect(digest.settled()).toBe(undefined)
    expect(digest.take()).toBe(sha(Buffer.from('ab')))
    expect(digest.take()).toBe(sha())
    expect(seen.turns).toBe(0)
  })

  it('takes long ones in slices, and what comes meanwhile in its order, whatever becomes of its memory', async () => {
    const { digest, seen } = counted()
    const long = Buffer.alloc(8 * mib, 'long')
    const short = Buffer.from('short')
    digest.add(short)
    digest.addInTurns([long, Buffer.from('end')])
    digest.add(short)
    short.fill('x')
    digest.addInTurns([Buffer.from('second')])
    expect(digest.waitingBytes).toBe(8 * mib + 'end'.length + 'short'.length + 'second'.length)
    await digest.settled()
    // About a megabyte each.
    expect(seen.turns).toBeGreaterThanOrEqual(8)
    expect([digest.waitingBytes, digest.settled()]).toEqual([0, undefined])
    digest.add(Buffer.from('last'))
    expect(digest.take()).toBe(sha(Buffer.from('short'), long, Buffer.from('endshortsecondlast')))
  })

  it('is made no further when its chain has ended', async () => {
    const { digest, seen } = counted()
    digest.addInTurns([Buffer.alloc(8 * mib)])
    const working = digest.settled()
    digest.forget()
    await working
    expect(seen.turns).toBeLessThanOrEqual(2)
  })
})
