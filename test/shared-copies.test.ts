import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const shared = resolve(root, '../shared')
const pairs = [
  ['examples/seed', 'seed'],
  ['test/recorded/wire', 'reference/wire'],
] as const
const single = [
  ['test/recorded/eso-cases.json', 'reference/eso-cases.json'],
  ['test/recorded/injector-patches.json', 'reference/injector-patches.json'],
] as const

// The repository never reads outside itself; where the shared originals stand beside it, the copies must be equal.
describe.runIf(existsSync(shared))('copies of shared files', () => {
  it.each(pairs)('%s is %s byte for byte', (ours, theirs) => {
    expect(readdirSync(join(root, ours)).sort()).toEqual(readdirSync(join(shared, theirs)).sort())
    for (const name of readdirSync(join(root, ours))) {
      expect(readFileSync(join(root, ours, name)).equals(readFileSync(join(shared, theirs, name))), name).toBe(true)
    }
  })

  it.each(single)('%s is %s byte for byte', (ours, theirs) => {
    expect(readFileSync(join(root, ours)).equals(readFileSync(join(shared, theirs)))).toBe(true)
  })
})
