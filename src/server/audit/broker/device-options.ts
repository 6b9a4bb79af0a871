/** The options that every audit device has, whatever its type. */
import { Refusal } from '../../contracts/request.ts'
import { type AuditFilter, parseFilter } from './filter.ts'

export interface DeviceOptions {
  readonly logRaw: boolean
  readonly hmacAccessor: boolean
  readonly elideListResponses: boolean
  readonly prefix: string
  /** Undefined: all lines. */
  readonly filter: AuditFilter | undefined
  /** Takes what no other device takes. */
  readonly fallback: boolean
  /** The device need not be reachable when it is enabled. */
  readonly skipTest: boolean
}

const names = [
  'log_raw',
  'hmac_accessor',
  'elide_list_responses',
  'format',
  'prefix',
  'filter',
  'fallback',
  'skip_test',
]

/** Refusal 400 names the option that is wrong; one that nobody reads is wrong too. `own`: those of the type. */
export function readDeviceOptions(
  given: Readonly<Record<string, string>>,
  type: string,
  own: readonly string[] | undefined,
): DeviceOptions {
  refuseUnknown(given, type, own)
  const flag = (name: string, otherwise: boolean) => {
    const text = given[name]
    if (text === undefined || text === '') return otherwise
    if (/^(?:1|t|true)$/i.test(text)) return true
    if (/^(?:0|f|false)$/i.test(text)) return false
    throw new Refusal(400, `${name} must be true or false`)
  }
  const format = given['format'] ?? 'json'
  if (format === 'jsonx') {
    throw new Refusal(400, 'format "jsonx" is not supported: lines are written as JSON (format "json")')
  }
  if (format !== 'json') throw new Refusal(400, `unknown format type ${JSON.stringify(format)}`)
  const prefix = given['prefix'] ?? ''
  if (/[\n\r\0]/.test(prefix)) throw new Refusal(400, 'prefix must be a single line')
  const fallback = flag('fallback', false)
  const filter = given['filter'] ? parseFilter(given['filter']) : undefined
  if (fallback && filter) throw new Refusal(400, 'cannot configure a fallback device with a filter')
  return {
    logRaw: flag('log_raw', false),
    hmacAccessor: flag('hmac_accessor', true),
    elideListResponses: flag('elide_list_responses', false),
    prefix,
    filter,
    fallback,
    skipTest: flag('skip_test', false),
  }
}

function refuseUnknown(
  given: Readonly<Record<string, string>>,
  type: string,
  own: readonly string[] | undefined,
): void {
  if (Object.hasOwn(given, 'exclude')) {
    throw new Refusal(
      400,
      'the option "exclude" is not supported: values are hashed, "filter" leaves out whole lines and "elide_list_responses" long lists',
    )
  }
  if (!own) return
  const unknown = Object.keys(given).find((name) => !names.includes(name) && !own.includes(name))
  if (unknown !== undefined) {
    throw new Refusal(
      400,
      `unknown option ${JSON.stringify(unknown)} of an audit device of type ${type}; accepted are ${[...own, ...names].join(', ')}`,
    )
  }
}
