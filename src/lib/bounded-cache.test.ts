import { expect, it } from 'vitest'
import { boundedCache } from './bounded-cache.ts'

it('keeps what was used last, and no more than it may', () => {
  const cache = boundedCache<string, string>(3)
  for (const name of ['a', 'b', 'c']) cache.set(name, name)
  cache.get('a')
  cache.set('d', 'd')
  cache.set('d', 'D')
  expect([...cache.keys()].sort()).toEqual(['a', 'c', 'd'])
  expect([cache.get('b'), cache.get('d'), cache.size]).toEqual([undefined, 'D', 3])
})
