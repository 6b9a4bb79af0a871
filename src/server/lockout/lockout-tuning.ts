/** `user_lockout_config`, as mounts are tuned with it. */
import { parseVaultDuration } from '../../lib/duration.ts'
import { parseGoBool } from '../../lib/go-bool.ts'
import { JsonNumber } from '../../lib/json/value.ts'
import { Refusal, type UserLockout } from '../contracts/request.ts'

const names = [
  'lockout_threshold',
  'lockout_duration',
  'lockout_counter_reset',
  'lockout_counter_reset_duration',
  'lockout_disable',
]

/** What is not given stays as it was; refuses (400) what is no number, duration or truth value. */
export function readUserLockout(given: unknown, before: UserLockout | undefined): UserLockout | undefined {
  if (given === undefined || given === null) return before
  if (typeof given !== 'object' || Array.isArray(given)) throw new Refusal(400, 'user_lockout_config must be a map')
  const map = new Map<string, unknown>(Object.entries(given))
  const unknown = [...map.keys()].find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new Refusal(
      400,
      `unknown user_lockout_config member ${JSON.stringify(unknown)}; accepted are ${names.join(', ')}`,
    )
  }
  const threshold = thresholdOf(map.get('lockout_threshold'))
  const durationMs = durationOf('lockout_duration', map.get('lockout_duration'))
  const reset = map.get('lockout_counter_reset_duration') ?? map.get('lockout_counter_reset')
  const counterResetMs = durationOf('lockout_counter_reset_duration', reset)
  const disabled = disabledOf(map.get('lockout_disable'))
  return {
    ...before,
    ...(threshold === undefined ? {} : { threshold }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(counterResetMs === undefined ? {} : { counterResetMs }),
    ...(disabled === undefined ? {} : { disabled }),
  }
}

const absent = (value: unknown) => value === undefined || value === null || value === ''
const plain = (value: unknown) => (value instanceof JsonNumber ? value.text : value)

function thresholdOf(value: unknown): number | undefined {
  if (absent(value)) return undefined
  const threshold = Number(plain(value))
  if (!Number.isSafeInteger(threshold) || threshold < 1) {
    throw new Refusal(
      400,
      'lockout_threshold must be a whole number from 1 on; lockout_disable switches the lockout off',
    )
  }
  return threshold
}

function durationOf(name: string, value: unknown): number | undefined {
  if (absent(value)) return undefined
  const ms = parseVaultDuration(plain(value))
  if (ms === undefined || ms <= 0) throw new Refusal(400, `${name} must be a duration such as 15m`)
  return ms
}

function disabledOf(value: unknown): boolean | undefined {
  if (absent(value)) return undefined
  const disabled = typeof value === 'boolean' ? value : typeof value === 'string' ? parseGoBool(value) : undefined
  if (disabled === undefined) throw new Refusal(400, 'lockout_disable must be true or false')
  return disabled
}
