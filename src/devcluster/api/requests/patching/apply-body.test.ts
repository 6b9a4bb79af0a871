import { expect, it } from 'vitest'
import { readApplyBody } from './apply-body.ts'

it('a document with very many members is read, and what it says twice is found', async () => {
  const lines = Array.from({ length: 20_000 }, (_, at) => `  k${at}: "1"`)
  const { document, problem } = await readApplyBody(`data:\n${lines.join('\n')}\n  k7: "2"`)
  expect(Object.keys(document['data'] ?? {})).toHaveLength(20_000)
  expect(problem).toMatch(/^error converting YAML to JSON: .*\n {2}line 20002: key "k7" already set in map$/)
})

it('JSON that says something twice is refused in the words for YAML', async () => {
  const { document, problem } = await readApplyBody('{"a": 1,\n "a": 2}')
  expect(document).toEqual({ a: 2 })
  expect(problem).toBe('error converting YAML to JSON: yaml: unmarshal errors:\n  line 2: key "a" already set in map')
})

it.each([
  ['an alias of nothing', 'a: *b'],
  ['aliases that multiply', `a: &a [${'x,'.repeat(20)}x]\nb: &b [${'*a,'.repeat(20)}*a]\nc: [${'*b,'.repeat(20)}*b]`],
  ['lists in lists without end', '['.repeat(20_000)],
  ['a member called "__proto__"', '{"__proto__": {}}'],
])('the client hears what is wrong with %s', async (_, body) => {
  await expect(readApplyBody(body)).rejects.toMatchObject({ code: 400 })
})
