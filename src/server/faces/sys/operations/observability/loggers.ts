/** sys/loggers: how loud the log of this process is, until it ends. */
import { type Call, operation, Refusal, type Route } from '../../../../contracts/request.ts'
import { type LogControl, type LogLevel, parseLogLevel } from '../../../../telemetry/log-control.ts'

export interface LoggersOptions {
  readonly logs: LogControl
}

const input = {
  level: { kind: 'string', description: 'trace (the same as debug), debug, info, warn or error' },
} as const

export function loggerRoutes({ logs }: LoggersOptions): Route[] {
  const all = {
    read: operation({ input: {}, namespaces: 'root', handle: async () => ({ kind: 'data', data: logs.levels() }) }),
    update: operation({
      input,
      namespaces: 'root',
      effect: 'outside',
      handle: async (call) => {
        logs.set(levelOf(call.input.level))
        return { kind: 'none' }
      },
    }),
    delete: operation({
      input: {},
      namespaces: 'root',
      effect: 'outside',
      handle: async () => {
        logs.reset()
        return { kind: 'none' }
      },
    }),
  }
  return [
    { path: 'loggers', summary: 'The level of every logger.', on: all },
    { path: 'loggers/{name...}', summary: 'The level of one logger.', on: oneLogger(logs) },
  ]
}

function oneLogger(logs: LogControl): Route['on'] {
  const nameOf = (call: Pick<Call, 'params'>) => call.params['name'] ?? ''
  const found = (done: boolean, name: string) => {
    if (!done) throw new Refusal(400, `logger ${JSON.stringify(name)} not found`)
    return { kind: 'none' } as const
  }
  return {
    read: operation({
      input: {},
      namespaces: 'root',
      handle: async (call) => {
        const name = nameOf(call)
        const level = Object.hasOwn(logs.levels(), name) ? logs.levels()[name] : undefined
        return { kind: 'data', data: level === undefined ? {} : { [name]: level } }
      },
    }),
    update: operation({
      input,
      namespaces: 'root',
      effect: 'outside',
      handle: async (call) => found(logs.set(levelOf(call.input.level), nameOf(call)), nameOf(call)),
    }),
    delete: operation({
      input: {},
      namespaces: 'root',
      effect: 'outside',
      handle: async (call) => found(logs.reset(nameOf(call)), nameOf(call)),
    }),
  }
}

function levelOf(text: string | undefined): LogLevel {
  if (text === undefined) throw new Refusal(400, 'level is required')
  if (text === '') throw new Refusal(400, 'level is empty')
  const level = parseLogLevel(text)
  if (!level) throw new Refusal(400, `invalid level provided: unknown log level: ${text}`)
  return level
}
