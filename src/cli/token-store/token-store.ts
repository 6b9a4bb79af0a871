import type { Env } from '../../lib/setting.ts'
import { readTokenFile, writeTokenFile } from '../token-file.ts'
import { readCliConfig } from './cli-config.ts'
import { ExternalHelper } from './external-helper.ts'

/** Where `login` keeps the token between commands. */
export interface TokenStore {
  get(): string | undefined
  store(token: string): void
}

/** The program that token_helper in ~/.vault names, else the token file. `address` is the server's, for a helper of several. */
export function openTokenStore(env: Env, address: string): TokenStore {
  const { tokenHelper } = readCliConfig(env)
  if (tokenHelper !== undefined) return new ExternalHelper({ path: tokenHelper, env, address })
  return { get: () => readTokenFile(env), store: (token) => writeTokenFile(env, token) }
}
