/** Chance that can be had again: of COFFER_SEED, else of another seed each run. Tests say the seed in their names. */
import { systemRandom } from '../../src/lib/random.ts'

const given = process.env['COFFER_SEED']

export const seed = given === undefined ? Buffer.from(systemRandom(4)).readUInt32BE() : Number(given) >>> 0

export interface Chance {
  /** A whole number from 0, less than `limit`. */
  below(limit: number): number
  of<T>(list: readonly T[]): T
  /** Of names with weights. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T
}

/** mulberry32. Each `name` has a sequence of its own, so that one test does not shift another's. */
export function chanceOf(name: string): Chance {
  let state = [...name].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, seed)
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    below,
    of(list) {
      const found = list[below(list.length)]
      if (found === undefined) throw new Error('nothing to choose from')
      return found
    },
    weighted(weights) {
      const names = Object.keys(weights) as (keyof typeof weights)[]
      let left = below(names.reduce((sum, name) => sum + weights[name], 0))
      for (const name of names) {
        left -= weights[name]
        if (left < 0) return name
      }
      throw new Error('nothing to choose from')
    },
  }
}
