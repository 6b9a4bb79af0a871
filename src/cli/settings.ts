import { parseVaultDuration } from '../lib/duration.ts'
import { parseGoBool } from '../lib/go-bool.ts'
import { type Env, setting } from '../lib/setting.ts'
import { parseRate, type Rate } from '../sdk/rate-limit.ts'
import { Failure } from './command.ts'

export function boolSetting(env: Env, name: string): boolean | undefined {
  const found = setting(env, name)
  if (!found) return undefined
  const value = parseGoBool(found.value)
  if (value === undefined) throw new Failure(1, `${found.from}="${found.value}" is neither true nor false`)
  return value
}

export function durationSetting(env: Env, name: string): number | undefined {
  const found = setting(env, name)
  if (!found) return undefined
  const ms = parseVaultDuration(found.value)
  if (ms === undefined) throw new Failure(1, `${found.from}="${found.value}" is no duration: write 30s, 1m or 90`)
  return ms
}

export function intSetting(env: Env, name: string): number | undefined {
  const found = setting(env, name)
  if (!found) return undefined
  if (!/^\d+$/.test(found.value)) throw new Failure(1, `${found.from}="${found.value}" is no whole number`)
  return Number(found.value)
}

export function rateSetting(env: Env, name: string): Rate | undefined {
  const found = setting(env, name)
  if (!found) return undefined
  const rate = parseRate(found.value)
  if (!rate)
    throw new Failure(1, `${found.from}="${found.value}" is no rate: write requests a second, 10 or 10:20 (burst)`)
  return rate
}
