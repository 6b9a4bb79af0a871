import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Core } from '../../src/programs/server/core.ts'
import { sessions } from './recorded-sessions.ts'
import { readRecording, replay, startServer } from './replay.ts'

const here = import.meta.dirname
const load = (name: string) => JSON.parse(readFileSync(join(here, name), 'utf8'))

/** Where we differ on purpose: exactly these paths of these answers. */
const intended: readonly { at: readonly string[]; paths: readonly string[]; reason: string }[] = load('intended.json')
/** What is not built yet. May only shrink. */
const open: readonly string[] = load('open.json')

const differences = new Map<string, readonly string[]>()
const cores: Core[] = []

beforeAll(async () => {
  for (const files of sessions) {
    const core = await startServer()
    cores.push(core)
    for (const [at, paths] of await replay(core, files)) differences.set(at, paths)
  }
})
afterAll(async () => {
  for (const core of cores) await core.close(0)
})

describe.each(sessions.flat())('the recorded exchanges of %s', (file) => {
  const exchanges = readRecording(file)
  it.each(exchanges.map((exchange, i) => [i, exchange.request.method, exchange.request.path] as const))(
    '%i: %s %s',
    (index) => {
      const at = `${file}:${index}`
      const paths = differences.get(at) ?? ['never replayed']
      if (open.includes(at)) {
        expect(paths, 'it passes now: take it out of open.json').not.toEqual([])
        return
      }
      const wanted = intended.filter((entry) => entry.at.includes(at)).flatMap((entry) => entry.paths)
      expect([...paths].sort()).toEqual([...wanted].sort())
    },
  )
})

describe('the lists of differences', () => {
  it('name only exchanges that exist, each in one of them', () => {
    const named = [...open, ...intended.flatMap((entry) => entry.at)]
    expect(named.filter((at) => !differences.has(at))).toEqual([])
    expect(open.filter((at) => intended.some((entry) => entry.at.includes(at)))).toEqual([])
    expect(new Set(open).size).toBe(open.length)
  })

  it('give a reason for each intended difference', () => {
    expect(intended.filter((entry) => entry.reason.length < 20)).toEqual([])
  })
})
