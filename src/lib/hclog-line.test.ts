import { expect, it } from 'vitest'
import { hclogLine } from './hclog-line.ts'

const line = {
  at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  level: 'info',
  name: 'agent.auth.handler',
  message: 'two\n  lines',
  fields: { path: '/a', words: 'b c', none: undefined, nothing: null, list: ['x', 'y'], empty: '', forged: 'a\nb=c' },
} as const

it('a line is one line, whatever is in it', () => {
  expect(hclogLine(line, 'standard')).toBe(
    '2026-01-02T03:04:05.678Z [INFO]  agent.auth.handler: two lines: path=/a words="b c" nothing=null list="[\\"x\\",\\"y\\"]" empty="" forged="a\\nb=c"',
  )
  expect(hclogLine({ ...line, name: '', message: 'm', fields: {} }, 'standard')).toBe(
    '2026-01-02T03:04:05.678Z [INFO]  m',
  )
})

it('a line in JSON has the names of hclog', () => {
  expect(hclogLine({ ...line, fields: { path: '/a' } }, 'json')).toBe(
    '{"@level":"info","@message":"two\\n  lines","@module":"agent.auth.handler","@timestamp":"2026-01-02T03:04:05.678Z","path":"/a"}',
  )
})
