import { tokenFilePath, writeTokenFile } from '../../../cli/token-file.ts'
import type { ProgramIo } from '../../program.ts'
import type { ServerFlags } from '../configuration/flags.ts'
import type { ServerConfig } from '../configuration.ts'
import type { Core } from '../core.ts'
import type { DevCertificates } from './dev-certificates.ts'

export type DevFlags = NonNullable<ServerFlags['dev']>

/** `configured`: of -config, which -dev may be given as well; where it listens and keeps things is -dev's business. */
export function devConfig(dev: DevFlags, certificates?: DevCertificates, configured?: ServerConfig): ServerConfig {
  const tls = certificates && {
    certFile: certificates.certFile,
    keyFile: certificates.keyFile,
    clientCertificates: 'not asked for' as const,
    minVersion: 'TLSv1.2' as const,
    maxVersion: 'TLSv1.3' as const,
  }
  const own: ServerConfig['listeners'][number] = {
    host: dev.host,
    port: dev.port,
    ...(tls ? { tls } : {}),
    requireRequestHeader: false,
    timeouts: {},
    metrics: 'for everyone',
    inFlightForEveryone: false,
  }
  return {
    auditDirectories: [],
    logLevel: 'info',
    logFormat: 'coffer',
    hostnameHeader: false,
    telemetry: { prefix: 'vault', usagePeriodMs: 600_000 },
    defaultTtlMs: 2_764_800_000,
    maxTtlMs: 2_764_800_000,
    shutdownMs: 10_000,
    warnings: [],
    ...configured,
    listeners: [own, ...(configured?.listeners ?? [])],
    storage: { kind: 'inmem' },
    outboundAllow: ['127.0.0.0/8', '::1/128', ...(configured?.outboundAllow ?? [])],
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
    options: { version: dev.kvVersion ?? '2' },
    local: false,
    sealWrap: false,
    config: {},
  })
  return { unsealKey, rootToken }
}

/** Vault's words: scripts look for "Root Token:" and "Unseal Key:". `secrets` undefined: it was left uninitialised. */
export function printDev(
  io: ProgramIo,
  address: string,
  secrets: DevSecrets | undefined,
  certificates?: DevCertificates,
): void {
  const ca = certificates ? `\n    $ export VAULT_CACERT='${certificates.caFile}'\n` : ''
  const shown = secrets
    ? `The unseal key and root token are displayed below in case you want to
seal/unseal the Vault or re-authenticate.

Unseal Key: ${secrets.unsealKey}
Root Token: ${secrets.rootToken}

`
    : ''
  io.stdout.write(`WARNING! dev mode is enabled! In this mode, Vault runs entirely in-memory
and starts unsealed with a single unseal key. The root token is already
authenticated to the CLI, so you can immediately begin using Vault.

You may need to set the following environment variables:

    $ export VAULT_ADDR='${address}'
${ca}
${shown}Development mode should NOT be used in production installations!

`)
}

export function storeToken(io: ProgramIo, token: string): void {
  if (tokenFilePath(io.env) !== undefined) writeTokenFile(io.env, token)
}
