import { parseVaultDuration } from '../../lib/duration.ts'
import { ConfigError, parseBool } from './section.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** COFFER_X, then VAULT_X, then BAO_X; an empty value counts as absent. */
export function setting(env: Environment, name: string): string | undefined {
  for (const prefix of ['COFFER_', 'VAULT_', 'BAO_']) {
    const value = env[prefix + name]
    if (value) return value
  }
  return undefined
}

/** Vault's own agent takes any text for true here, "false" too; a switch that turns verification off must not. */
export function settingFlag(env: Environment, name: string): boolean | undefined {
  const text = setting(env, name)
  if (text === undefined) return undefined
  const flag = parseBool(text)
  if (flag === undefined) throw new ConfigError(`VAULT_${name} must be true or false`)
  return flag
}

export function settingNumber(env: Environment, name: string): number | undefined {
  const text = setting(env, name)
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new ConfigError(`VAULT_${name} must be a whole number`)
  return Number(text)
}

export function settingDuration(env: Environment, name: string): number | undefined {
  const text = setting(env, name)
  if (text === undefined) return undefined
  const ms = parseVaultDuration(text)
  if (ms === undefined || ms < 0) throw new ConfigError(`VAULT_${name} must be a duration such as "30s"`)
  return ms
}
