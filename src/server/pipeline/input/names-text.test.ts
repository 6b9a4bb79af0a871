import { expect, it } from 'vitest'
import { namesText } from './names-text.ts'

it('lists names as they are', () => {
  expect(namesText(['a', 'b c', 'x'.repeat(100)])).toBe(`[a b c ${'x'.repeat(100)}]`)
})

it('of ten thousand long ones shows some, short, with whole characters', () => {
  const text = namesText(Array.from({ length: 10_000 }, (_, i) => `${String(i).padEnd(99, '.')}😀${'y'.repeat(3000)}`))
  expect(text.length).toBeLessThan(11_000)
  expect(text).toContain(`[${'0'.padEnd(99, '.')}… ${'1'.padEnd(99, '.')}…`)
  expect(text).toMatch(/… and 9900 more\]$/)
  expect(text.isWellFormed()).toBe(true)
})
