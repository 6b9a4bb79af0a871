/** `coffer server -dev`: in memory, one share, unsealed, secret/ as KV v2; what Vault prints. */
import { tokenFilePath, writeTokenFile } from '../../cli/token-file.ts'
import type { ProgramIo } from '../program.ts'
import type { ServerConfig } from './configuration.ts'
import type { Core } from './core.ts'
import type { ServerFlags } from './flags.ts'

export type DevFlags = NonNullable<ServerFlags['dev']>

export function devConfig(dev: DevFlags): ServerConfig {
  return {
    listeners: [{ host: dev.host, port: dev.port }],
    storage: { kind: 'inmem' },
    auditDirectories: [],
    outboundAllow: ['127.0.0.0/8', '::1/128'],
    logLevel: 'info',
    defaultTtlMs: 2_764_800_000,
    maxTtlMs: 2_764_800_000,
    shutdownMs: 10_000,
  }
}

export interface DevSecrets {
  readonly unsealKey: string
  readonly rootToken: string
}

export async function startDev(core: Core, dev: DevFlags): Promise<DevSecrets> {
  const { keys, rootToken } = await core.seal.initialise({
    shares: 1,
    threshold: 1,
    ...(dev.rootToken === undefined ? {} : { rootToken: dev.rootToken }),
  })
  const [key] = keys
  if (!key) throw new Error('initialisation gave no key')
  const unsealKey = Buffer.from(key).toString('base64')
  await core.seal.unseal(Uint8Array.from(key))
  await core.mounts.enable({
    path: 'secret/',
    class: 'secret',
    type: 'kv',
    description: 'key/value secret storage',
    options: { version: '2' },
    local: false,
    sealWrap: false,
    config: {},
  })
  return { unsealKey, rootToken }
}

/** Scripts look for "Root Token:". */
export function printDev(io: ProgramIo, address: string, secrets: DevSecrets): void {
  io.stdout.write(`WARNING! dev mode is enabled! In this mode, the server runs entirely in-memory
and starts unsealed with a single unseal key. The root token is already
authenticated to the CLI, so you can immediately begin using it.

You may need to set the following environment variables:

    $ export VAULT_ADDR='${address}'

The unseal key and root token are displayed below in case you want to
seal/unseal the server or re-authenticate.

Unseal Key: ${secrets.unsealKey}
Root Token: ${secrets.rootToken}

Development mode should NOT be used in production installations!

`)
}

export function storeToken(io: ProgramIo, token: string): void {
  if (tokenFilePath(io.env) !== undefined) writeTokenFile(io.env, token)
}
