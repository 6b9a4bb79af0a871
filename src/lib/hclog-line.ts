/** Lines as Vault's programs write them (hclog), which people and log collectors search in. */
import type { LogFields } from './log.ts'

export interface LogLine {
  /** Wall clock, ms. */
  readonly at: number
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** "agent.auth.handler"; '' leaves it out. */
  readonly name: string
  readonly message: string
  readonly fields: LogFields
}

/** Without the newline at its end; a message of several lines becomes one. */
export function hclogLine(line: LogLine, format: 'standard' | 'json'): string {
  const { level, name, message, fields } = line
  const at = new Date(line.at).toISOString()
  if (format === 'json') {
    const module = name === '' ? {} : { '@module': name }
    return JSON.stringify({ '@level': level, '@message': message, ...module, '@timestamp': at, ...fields })
  }
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${quoted(typeof value === 'object' ? JSON.stringify(value) : String(value))}`],
  )
  const tail = pairs.length > 0 ? `: ${pairs.join(' ')}` : ''
  return `${at} ${`[${level.toUpperCase()}]`.padEnd(7)} ${name === '' ? '' : `${name}: `}${oneLine(message)}${tail}`
}

const quoted = (text: string): string => (/[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text)

const oneLine = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join(' ')
