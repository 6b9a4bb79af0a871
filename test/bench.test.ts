/** What the benchmark shows and takes; what it measures needs a quiet machine, and is CI's. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ratioLimits } from '../bench/limits.ts'
import { round } from '../bench/load.ts'
import { readArguments } from '../bench/report/arguments.ts'
import { helpText } from '../bench/report/help.ts'
import { placed, type Report, render } from '../bench/report/report.ts'
import { scenarios } from '../bench/requests/scenarios.ts'

const known = {
  scenarios: scenarios.map(({ name }) => name),
  studies: ['workers', 'million', 'queries', 'nodes', 'nodes-away'],
}
const read = (...args: string[]) => readArguments(args, known)

const run = { perSecond: 5432.1, p50Ms: 4.25, p99Ms: 12.6, errors: 0, cpuMicros: 151.2, rssAnonMb: 80.4 }
const report: Report = {
  machine: { processors: 2, model: 'a processor', memoryGb: 8, node: 'v20.0.0', load: 'wrk' },
  ...{ connections: 32, seconds: 3, runs: 5, skipped: [], failed: [], ok: false },
  requests: [
    {
      ...{ scenario: 'read-string', title: 'KV read', storage: 'lmdb', workers: 1, attempts: 4, errors: 0, runs: [] },
      ...{ ours: run, bare: { ...run, perSecond: 54_321 }, ratio: 0.1, missed: ['ratio 0.100, at least 0.11'] },
    },
  ],
  studies: [
    {
      ...{ study: 'million', title: 'A million', notes: ['A note.'] },
      figures: [{ name: 'start', value: 812.3, unit: 'ms', limit: { fails: 800, required: 400, side: 'below' } }],
    },
  ],
}

describe('npm run bench', () => {
  it('takes names of scenarios and questions, and says which there are for any other', () => {
    expect(read('read-string', 'million')).toMatchObject({ names: ['read-string', 'million'], seconds: 3, runs: 5 })
    expect(read('reads')).toEqual({ problem: expect.stringContaining('there is no "reads"; there are read-string,') })
    expect(read('--all')).toMatchObject({ storages: ['lmdb', 'postgresql'], workers: [1, 2] })
    expect(read('--ci')).toMatchObject({ ci: true, seconds: 2 })
    expect(read('-h')).toEqual({ help: true })
  })

  it.each([
    [['--seconds', '0'], '--seconds is "0": it must be a whole number from 1 to 3600'],
    [['--runs', 'x'], '--runs is "x"'],
    [['--connections', ''], '--connections is ""'],
    [['--workers', '1,0'], '--workers is "0"'],
    [['--storage', 'mysql'], '--storage is "mysql": it must be lmdb, postgresql or both'],
    [['--format', 'xml'], '--format is "xml": it must be text, json or markdown'],
    [['--format', 'json', '--markdown'], 'contradict'],
    [['--ci', '--all'], 'not both'],
    [['--ci', 'hash'], '--ci says which'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])('refuses %j', (args, words) => {
    expect(read(...args)).toEqual({ problem: expect.stringContaining(words) })
  })

  it('names every scenario in its help, and limits none that is not there', () => {
    const help = helpText(scenarios, [])
    for (const { name, title } of scenarios) expect(help).toContain(`${name.padEnd(18)}${title}`)
    for (const name of Object.keys(ratioLimits)) expect(known.scenarios).toContain(name)
  })

  it('shows what was measured, what is asked and what was missed', () => {
    const text = render(report, 'text')
    const { fails } = ratioLimits['read-string']
    expect(text).toMatch(/read-string +lmdb +1 +5,432 +4\.3 +13 +151 +80 +54,321 +151 +0\.100 +0\.\d+ +0\.16 +0\.20/)
    expect(text).toMatch(new RegExp(`0\\.100 +${fails} +0\\.16 +0\\.20`))
    expect(text).toContain('FAIL read-string on lmdb: ratio 0.100, at least 0.11')
    expect(text).toMatch(/start +812 ms +FAIL \(below 800, asked 400\)/)
    expect(JSON.parse(render(report, 'json'))).toEqual(report)
  })

  it('shows limits whole: no figure below one looks as if it reached it', () => {
    const requests = report.requests.map((request) => ({ ...request, scenario: 'write-string' }))
    const { fails } = ratioLimits['write-string']
    expect(render({ ...report, requests }, 'text')).toMatch(new RegExp(`0\\.100 +${fails} +0\\.09 +0\\.12`))
  })

  it('says nothing of limits where they do not hold', () => {
    const [first] = report.requests
    const elsewhere = { ...report, requests: first ? [{ ...first, storage: 'postgresql' as const, missed: [] }] : [] }
    expect(render(elsewhere, 'text')).not.toContain('0.16')
  })

  it('puts its tables at the place that the guide keeps for them, again and again', () => {
    const guide = readFileSync(join(import.meta.dirname, '../docs/guides/performance.md'), 'utf8')
    const text = render(report, 'markdown')
    const filled = placed(guide, text)
    expect(filled).toContain('| read-string | lmdb | 1 | 5,432 |')
    expect(placed(filled, text)).toBe(filled)
    expect(filled.replaceAll('\n', '').length).toBeGreaterThan(text.replaceAll('\n', '').length + 1000)
    expect(() => placed('no place', text)).toThrow('there is no line <!-- measured')
  })

  it('names every scenario and every flag in the guide', () => {
    const guide = readFileSync(join(import.meta.dirname, '../docs/guides/performance.md'), 'utf8')
    for (const name of [...known.scenarios, ...known.studies]) expect(guide).toContain(`\`${name}\``)
  })

  it('spreads the rare request among the others', () => {
    const [reads, writes] = [
      { path: '/r', share: 9 },
      { path: '/w', method: 'POST' as const },
    ]
    const ring = round([reads, writes])
    expect(ring).toHaveLength(10)
    expect(ring.filter((shot) => shot === writes)).toHaveLength(1)
    const even = round([
      { path: '/a', share: 2 },
      { path: '/b', share: 2 },
    ])
    expect(even.map(({ path }) => path)).toEqual(['/a', '/b', '/a', '/b'])
  })
})
