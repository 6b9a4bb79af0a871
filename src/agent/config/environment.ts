import { parseVaultDuration } from '../../lib/duration.ts'
import { parseGoBool } from '../../lib/go-bool.ts'
import { type Env, setting } from '../../lib/setting.ts'
import { ConfigError } from './section.ts'

export const settingText = (env: Env, name: string): string | undefined => setting(env, name)?.value

/** Vault's own agent takes any text for true here, "false" too; a switch that turns verification off must not. */
export function settingFlag(env: Env, name: string): boolean | undefined {
  const found = setting(env, name)
  if (!found) return undefined
  const flag = parseGoBool(found.value)
  if (flag === undefined) throw new ConfigError(`${found.from} must be true or false`)
  return flag
}

export function settingNumber(env: Env, name: string): number | undefined {
  const found = setting(env, name)
  if (!found) return undefined
  if (!/^\d+$/.test(found.value)) throw new ConfigError(`${found.from} must be a whole number`)
  return Number(found.value)
}

export function settingDuration(env: Env, name: string): number | undefined {
  const found = setting(env, name)
  if (!found) return undefined
  const ms = parseVaultDuration(found.value)
  if (ms === undefined || ms < 0) throw new ConfigError(`${found.from} must be a duration such as "30s"`)
  return ms
}
