/** When `build --if-stale` has something to do. */
import { mkdirSync, mkdtempSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { stateOf } from '../scripts/build/last-build.mjs'

const folder = mkdtempSync(join(tmpdir(), 'coffer-last-build-'))
const dist = join(folder, 'dist')
const sources = [join(folder, 'src'), join(folder, 'lock.json')]
const state = () => stateOf(dist, sources)

function write(name: string, text: string, at: number): void {
  writeFileSync(join(folder, name), text)
  utimesSync(join(folder, name), at, at)
}

beforeEach(() => {
  rmSync(dist, { recursive: true, force: true })
  for (const made of ['src/below', 'dist/compiled']) mkdirSync(join(folder, made), { recursive: true })
  write('src/below/a.ts', '', 100)
  write('lock.json', '', 100)
  write('dist/meta.json', JSON.stringify({ node: process.version }), 200)
  for (const name of ['server', 'lmdb']) write(`dist/compiled/${name}.js.cache`, '', 200)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the last build', () => {
  it('is fresh while no source is newer', () => {
    expect(state()).toBe('fresh')
  })

  it.each(['src/below/a.ts', 'lock.json'])('is stale once %s has changed', (name) => {
    write(name, '', 300)
    expect(state()).toBe('stale')
  })

  it('is stale when there is none, and when another Node.js made it', () => {
    write('dist/meta.json', JSON.stringify({ node: 'v0.1.0' }), 200)
    expect(state()).toBe('stale')
    rmSync(dist, { recursive: true })
    expect(state()).toBe('stale')
  })

  it.each(['server', 'lmdb'])('whose %s could not be compiled is not fresh: that is tried again', (name) => {
    unlinkSync(join(dist, `compiled/${name}.js.cache`))
    expect(state()).toBe('not compiled')
    write('lock.json', '', 300)
    expect(state()).toBe('stale')
  })
})
