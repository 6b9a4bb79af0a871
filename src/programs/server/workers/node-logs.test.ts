import { expect, it } from 'vitest'
import { FakeClock } from '../../../lib/fake-clock.ts'
import type { LogLine } from '../../../lib/hclog-line.ts'
import type { LogLevel } from '../../../server/telemetry/log-control.ts'
import { ServerLog } from '../node/logger.ts'
import type { LevelChange } from './messages.ts'
import { lowest, NodeLogs } from './node-logs.ts'

function start() {
  const own = new ServerLog({
    level: 'info',
    format: 'coffer',
    name: 'server',
    clock: new FakeClock(0),
    write: () => {},
  })
  const changes: LevelChange[] = []
  const taps: (LogLevel | undefined)[] = []
  const told: string[] = []
  const logs = new NodeLogs({
    own,
    changed: (change) => changes.push(change),
    tap: (level) => taps.push(level),
    tell: (line) => told.push(line.message),
  })
  return { own, logs, changes, taps, told }
}
const line = (level: LogLevel, message: string): LogLine => ({ at: 0, level, name: 'server', message, fields: {} })

it('a level is told to the others only if there is such a logger, and what they did is not told back', () => {
  const { logs, changes } = start()
  logs.set('debug')
  logs.set('debug', 'nobody')
  logs.reset()
  logs.apply({ level: 'warn', name: undefined })
  expect(changes).toEqual([
    { level: 'debug', name: undefined },
    { level: undefined, name: undefined },
  ])
  expect(logs.levels()).toEqual({ server: 'warn' })
})

it('whoever listens hears this process and the others, from the level that was asked for', () => {
  const { own, logs, taps } = start()
  const heard: string[] = []
  const end = logs.tap('warn', (one) => heard.push(one.message))
  const endAll = logs.tap('debug', () => {})
  own.logger.warn('own')
  logs.heard(line('error', 'other'))
  logs.heard(line('info', 'too quiet'))
  endAll()
  end()
  logs.heard(line('error', 'late'))
  expect(heard).toEqual(['own', 'other'])
  expect(taps).toEqual(['warn', 'debug', 'warn', undefined])
})

it('lines are told to the others while somebody there listens', () => {
  const { own, logs, told } = start()
  own.logger.info('before')
  logs.tellFrom('info')
  own.logger.info('one')
  own.logger.debug('quiet')
  logs.tellFrom('warn')
  own.logger.info('two')
  own.logger.warn('three')
  logs.tellFrom(undefined)
  own.logger.error('after')
  expect(told).toEqual(['one', 'three'])
})

it('the lowest level that anybody wants counts', () => {
  expect(lowest([{ level: 'warn' }, { level: undefined }, { level: 'info' }])).toBe('info')
  expect(lowest([{ level: undefined }])).toBeUndefined()
})
