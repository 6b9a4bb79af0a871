import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Env } from '../../lib/setting.ts'
import { Failure } from '../command.ts'

/**
 * A program of the user that keeps the token: called with `get` (the token on its stdout), `store` (the token on its stdin) or
 * `erase`. Not zero is an error, and its stderr says which. Run as it is, without a shell, so that no path is a command.
 */
export class ExternalHelper {
  readonly #path: string
  readonly #env: Env

  /** `path` is made absolute; Failure 2 when nothing is there. `address`: of the server, which the helper may keep tokens by. */
  constructor(options: { path: string; env: Env; address: string }) {
    this.#path = resolve(options.path)
    const { address } = options
    this.#env = { ...options.env, COFFER_ADDR: address, VAULT_ADDR: address, BAO_ADDR: address }
    try {
      statSync(this.#path)
    } catch (cause) {
      throw new Failure(
        2,
        `failed to get token helper: unknown error getting the external helper path: ${this.#path} is not there`,
        { cause },
      )
    }
  }

  get(): string | undefined {
    return this.#run('get').trim() || undefined
  }

  store(token: string): void {
    this.#run('store', token)
  }

  erase(): void {
    this.#run('erase')
  }

  #run(operation: 'get' | 'store' | 'erase', input = ''): string {
    const ran = spawnSync(this.#path, [operation], { env: this.#env, input, encoding: 'utf8', maxBuffer: 1024 * 1024 })
    // EPIPE: it ended without reading all of its stdin, and its status says whether that is well.
    const error = ran.error !== undefined && 'code' in ran.error && ran.error.code === 'EPIPE' ? undefined : ran.error
    if (error === undefined && ran.status === 0) return ran.stdout
    const why = error?.message ?? `${JSON.stringify(ran.stderr.trim())}: exit status ${ran.status ?? ran.signal}`
    throw new Failure(2, `failed to ${operation} the token with the token helper ${this.#path}: ${why}`)
  }
}
