import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import type { LogLine } from '../../../lib/hclog-line.ts'
import type { LogFormat } from '../configuration.ts'
import { ServerLog } from './logger.ts'

function start(format: LogFormat) {
  const lines: string[] = []
  const clock = new FakeClock(Date.UTC(2026, 0, 1))
  const log = new ServerLog({ level: 'info', format, name: 'server', clock, write: (line) => lines.push(line) })
  return { log, lines }
}

it('lines of our own format are JSON with the event and its fields', () => {
  const { log, lines } = start('coffer')
  log.logger.with({ logger: 'audit', device: 'file/' }).warn('write failed', { times: 2 })
  const { time, ...rest } = JSON.parse(lines[0] ?? '')
  expect(time).toMatch(/Z$/)
  expect(rest).toEqual({
    level: 'warn',
    program: 'server',
    logger: 'server.audit',
    device: 'file/',
    times: 2,
    event: 'write failed',
  })
})

it('Vault’s formats are hclog’s', () => {
  const standard = start('standard')
  standard.log.logger.with({ logger: 'audit' }).info('opened', { device: 'file/' })
  expect(standard.lines).toEqual(['2026-01-01T00:00:00.000Z [INFO]  server.audit: opened: device=file/\n'])
  const json = start('json')
  json.log.logger.error('a\nb')
  expect(JSON.parse(json.lines[0] ?? '')).toMatchObject({ '@level': 'error', '@message': 'a\nb', '@module': 'server' })
})

it('each logger has its level; all are set and reset at once, and anew by the configuration', () => {
  const { log, lines } = start('standard')
  const audit = log.logger.with({ logger: 'audit' })
  expect(log.set('error', 'server.audit')).toBe(true)
  audit.warn('quiet')
  log.logger.info('loud')
  expect(lines).toHaveLength(1)
  expect([log.set('info', 'nobody'), log.reset('nobody')]).toEqual([false, false])
  log.set('debug')
  expect(log.levels()).toEqual({ server: 'debug', 'server.audit': 'debug' })
  log.reconfigure('warn')
  expect(log.levels()).toEqual({ server: 'warn', 'server.audit': 'warn' })
  log.set('debug', 'server')
  log.reset('server')
  expect(log.levels()['server']).toBe('warn')
})

it('who taps it hears what the log itself leaves out, until it ends', () => {
  const { log, lines } = start('coffer')
  const heard: LogLine[] = []
  const end = log.tap('debug', (line) => heard.push(line))
  const warnings: LogLine[] = []
  log.tap('warn', (line) => warnings.push(line))
  log.logger.debug('one', { a: 1 })
  end()
  log.logger.debug('two')
  expect(heard).toEqual([
    { at: Date.UTC(2026, 0, 1), level: 'debug', name: 'server', message: 'one', fields: { a: 1 } },
  ])
  expect([lines, warnings]).toEqual([[], []])
})
