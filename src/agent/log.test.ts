import { expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { createLog } from './log.ts'

it('writes the two shapes that Vault writes', () => {
  const lines: string[] = []
  const options = { clock: new FakeClock(), write: (line: string) => void lines.push(line) }
  const standard = createLog({ ...options, level: 'info', format: 'standard' })
  standard.named('sink').named('file').info('token written', { path: '/a', error: 'two words' })
  standard.warn('first\nsecond')
  standard.debug('hidden')
  standard.setLevel('debug')
  standard.named('x').debug('shown')
  createLog({ ...options, level: 'info', format: 'json' }).info('rendered', { path: '/a' })
  expect(lines).toEqual([
    '2026-01-02T03:04:05.000Z [INFO]  agent.sink.file: token written: path=/a error="two words"\n',
    '2026-01-02T03:04:05.000Z [WARN]  agent: first second\n',
    '2026-01-02T03:04:05.000Z [DEBUG] agent.x: shown\n',
    '{"@level":"info","@message":"rendered","@module":"agent","@timestamp":"2026-01-02T03:04:05.000Z","path":"/a"}\n',
  ])
})
