import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '../lib/make-folder.ts'
import { type Env, setting } from '../lib/setting.ts'
import { Failure } from './command.ts'

/** Where `login` keeps the token: VAULT_TOKEN_PATH, else ~/.vault-token. */
export function tokenFilePath(env: Env): string | undefined {
  const home = env['HOME']
  return setting(env, 'TOKEN_PATH')?.value ?? (home ? join(home, '.vault-token') : undefined)
}

export function readTokenFile(env: Env): string | undefined {
  const path = tokenFilePath(env)
  if (path === undefined) return undefined
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new Failure(1, `cannot read the token file ${path}: ${reasonOf(cause)}`, { cause })
  }
}

/** Mode 0600, no newline, replaced at once. */
export function writeTokenFile(env: Env, token: string): void {
  const path = tokenFilePath(env)
  if (path === undefined) {
    throw new Failure(1, 'nowhere to keep the token: set HOME or VAULT_TOKEN_PATH, or use -no-store')
  }
  const temporary = `${path}.${randomUUID()}`
  try {
    makeFolder(dirname(path), 0o777)
    writeFileSync(temporary, token, { mode: 0o600, flag: 'wx' })
    renameSync(temporary, path)
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw new Failure(1, `cannot write the token file ${path}: ${reasonOf(cause)}`, { cause })
  }
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
