import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseJson } from '../lib/json/parse.ts'
import { valueFromJson } from './from-json.ts'
import { parseTemplate } from './template.ts'
import { TemplateError } from './template-error.ts'
import type { GoFunction, Value } from './value.ts'

/** Made by Go 1.26's text/template from the same templates and data; `like` marks errors that we word differently. */
interface Vector {
  template: string
  left?: string
  right?: string
  missingKey?: 'error'
  output?: string
  error?: string
  stage?: 'parse' | 'execute'
  like?: string
}
const file = readFileSync(new URL('./vectors.json', import.meta.url), 'utf8')
const { cases }: { cases: Vector[] } = JSON.parse(file)
const parsed = parseJson(file)
const data = valueFromJson(
  parsed !== null && typeof parsed === 'object' && 'data' in parsed ? (parsed.data ?? null) : null,
  'text',
)

const functions = new Map<string, GoFunction>([
  ['upper', { params: ['string'], call: (s) => String(s).toUpperCase() }],
  ['add1', { params: ['int'], call: (i) => (typeof i === 'bigint' ? i + 1n : 0n) }],
  ['f64', { params: [], call: () => 2592000 }],
  ['list', { params: [], rest: 'any', call: (...all): Value => all }],
  [
    'fail',
    {
      params: ['string'],
      call: () => {
        throw new Error('always')
      },
    },
  ],
])

function run(v: Vector): Pick<Vector, 'output' | 'error' | 'stage'> {
  try {
    const { left, right, missingKey } = v
    return { output: parseTemplate('t', v.template, { left, right, missingKey, functions }).execute(data).toString() }
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error
    return { error: error.message, stage: error.stage }
  }
}

describe('templates do what Go does', () => {
  it.each(cases.map((v) => [v.template, v] as const))('%j', (_, v) => {
    const { output, error, stage } = v
    const got = run(v)
    if (v.like !== undefined) expect(got).toEqual({ error: expect.stringContaining(v.like), stage })
    else expect(got).toEqual(output === undefined ? { error, stage } : { output })
  })
})
