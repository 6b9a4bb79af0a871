import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseHcl } from '../../lib/hcl/parse.ts'
import { HclError } from '../../lib/hcl/tree.ts'
import { type Env, setting } from '../../lib/setting.ts'
import { Failure } from '../command.ts'

export interface CliConfig {
  /** A program that keeps the token instead of the token file. */
  readonly tokenHelper?: string
}

/** ~/.vault, else ~/.bao (or VAULT_CONFIG_PATH): HCL with one key, token_helper. Without the file everything is default. */
export function readCliConfig(env: Env): CliConfig {
  const explicit = setting(env, 'CONFIG_PATH')?.value
  const home = env['HOME']
  const paths =
    explicit !== undefined ? [fromHome(explicit, home)] : home ? [join(home, '.vault'), join(home, '.bao')] : []
  for (const path of paths) {
    const text = readIfThere(path)
    if (text !== undefined) return parse(text, path)
  }
  return {}
}

const fromHome = (path: string, home: string | undefined) =>
  home && (path === '~' || path.startsWith('~/')) ? join(home, path.slice(1)) : path

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) {
      return undefined
    }
    throw new Failure(2, `failed to get token helper: cannot read ${path}: ${reasonOf(cause)}`, { cause })
  }
}

function parse(text: string, path: string): CliConfig {
  let helper: string | undefined
  try {
    for (const item of parseHcl(text).items) {
      if (item.key !== 'token_helper' || item.labels.length > 0) {
        throw new HclError(`invalid key ${JSON.stringify(item.key)}: the only one is token_helper`, item)
      }
      if (typeof item.value !== 'string') throw new HclError('token_helper must be a text', item)
      helper = item.value
    }
  } catch (cause) {
    if (!(cause instanceof HclError)) throw cause
    throw new Failure(
      2,
      `failed to get token helper: error parsing config file at ${JSON.stringify(path)}: ${cause.message}; ensure that the file is valid; Ansible Vault is known to conflict with it.`,
      { cause },
    )
  }
  return helper === undefined || helper === '' ? {} : { tokenHelper: helper }
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
