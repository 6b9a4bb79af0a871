import { expect, it } from 'vitest'
import { canonicalQuantity, parseQuantity } from './quantity.ts'

// Each as kube-apiserver stores it.
it.each([
  ['1000m', '1'],
  ['0.5', '500m'],
  ['1.5', '1500m'],
  [1, '1'],
  [0.25, '250m'],
  ['1024Mi', '1Gi'],
  ['1500Mi', '1500Mi'],
  ['1.5Gi', '1536Mi'],
  ['100000', '100k'],
  ['2000', '2k'],
  ['1e3', '1e3'],
  ['12E6', '12e6'],
  ['0', '0'],
  ['0Mi', '0'],
  ['1Ki', '1Ki'],
  ['0.5Ki', '512'],
  ['-1', '-1'],
  ['+2', '2'],
  ['0.0000000001', '1n'],
])('%j is stored as %j', (given, stored) => {
  expect(canonicalQuantity(given)).toBe(stored)
})

it.each(['', 'x', '1 Gi', '1KiB', '--1', '.', true])('%j is none', (given) => {
  expect(canonicalQuantity(given)).toBeUndefined()
})

it('compares across forms', () => {
  expect(parseQuantity('1Gi')?.nanos).toBe(parseQuantity('1073741824')?.nanos)
})
