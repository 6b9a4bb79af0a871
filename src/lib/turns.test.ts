import { describe, expect, it } from 'vitest'
import { atOnce, createTurns, inTurns, Pace, type Turns } from './turns.ts'

/** Turns of an event loop that the test moves. */
function handMoved() {
  const soon: (() => void)[] = []
  return {
    turns: createTurns((run) => soon.push(run)),
    async turn() {
      for (const run of soon.splice(0)) run()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

describe('turns', () => {
  it('let one slice of all work run in each turn of the event loop, in order', async () => {
    const { turns, turn } = handMoved()
    const ran: string[] = []
    const work = async (name: string) => {
      for (let slice = 1; slice <= 2; slice += 1) {
        await turns.next()
        ran.push(`${name}${slice}`)
      }
    }
    const all = Promise.all([work('a'), work('b'), work('c')])
    const perTurn: number[] = []
    for (let i = 0; i < 6; i += 1) {
      const before = ran.length
      await turn()
      perTurn.push(ran.length - before)
    }
    await all
    expect(ran).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2'])
    expect(perTurn).toEqual([1, 1, 1, 1, 1, 1])
  })

  it('come by themselves', async () => {
    const turns = createTurns()
    await Promise.all([turns.next(), turns.next()])
    await turns.next()
  })
})

describe('work in steps', () => {
  function* steps() {
    for (let i = 0; i < 3; i += 1) yield
    return 'done'
  }

  it('waits for a turn after each, or for none', async () => {
    let waited = 0
    const turns: Turns = {
      async next() {
        waited += 1
      },
    }
    expect(await inTurns(steps(), turns)).toBe('done')
    expect(waited).toBe(3)
    expect(atOnce(steps())).toBe('done')
  })

  it('a pace asks for a rest when its slice is used up, and has a whole one after it', async () => {
    const pace = new Pace({ async next() {} }, 10)
    expect([pace.spend(4), pace.spend(5), pace.spend(1)]).toEqual([false, false, true])
    await pace.rest()
    expect(pace.left).toBe(10)
    expect(pace.spendChars(1024 * 10)).toBe(true)
  })
})
