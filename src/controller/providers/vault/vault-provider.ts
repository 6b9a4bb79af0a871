/** SecretStores of kind `vault`: HashiCorp Vault, OpenBao and Coffer, KV version 1 and 2. */

import { pemText } from '../../../lib/pem-text.ts'
import { VaultClient } from '../../../sdk/client.ts'
import type { ConnectSocket } from '../../../sdk/events.ts'
import type { Transport } from '../../../sdk/transport.ts'
import type { SecretStoreProvider, StoreEnv, StoreSession } from '../provider.ts'
import { obtainCredential, secretText } from './login.ts'
import { VaultSession } from './session.ts'
import { invalid, parseVaultSpec, type VaultSpec } from './spec.ts'
import { TokenKeeper } from './token-keeper.ts'

export interface VaultTarget {
  readonly address: string
  /** PEM. */
  readonly caCertPem?: string
  readonly clientCert?: string
  readonly clientKey?: string
}
export interface VaultConnection {
  readonly transport: Transport
  readonly connect: ConnectSocket
}

export function vaultProvider(options: { dial(target: VaultTarget): VaultConnection }): SecretStoreProvider {
  return {
    name: 'vault',
    open: async (given, env): Promise<StoreSession> => {
      const spec = parseVaultSpec(given, env.namespace)
      const { transport, connect } = options.dial(await targetOf(spec, env))
      const client = new VaultClient({
        transport,
        clock: env.clock,
        address: spec.server,
        maxRetries: env.maxRetries,
        headers: headersOf(spec),
        ...(spec.namespace !== undefined && { namespace: spec.namespace }),
      })
      const tokens = new TokenKeeper({
        obtain: (signal) => obtainCredential(spec, env, client, signal),
        client,
        clock: env.clock,
        random: env.random,
      })
      return new VaultSession({
        spec,
        client,
        tokens,
        connect,
        env,
        closeTransport: async () => transport.close?.(),
      })
    },
  }
}

async function targetOf(spec: VaultSpec, env: StoreEnv): Promise<VaultTarget> {
  if (!URL.canParse(spec.server)) throw invalid(`spec.provider.vault.server: ${JSON.stringify(spec.server)} is no URL`)
  const caCertPem = await authorities(spec, env)
  const { certSecretRef, keySecretRef } = spec.tls ?? {}
  return {
    address: spec.server,
    ...(caCertPem !== undefined && { caCertPem }),
    ...(certSecretRef && { clientCert: await secretText(env, certSecretRef, 'tls.crt') }),
    ...(keySecretRef && { clientKey: await secretText(env, keySecretRef, 'tls.key') }),
  }
}

async function authorities(spec: VaultSpec, env: StoreEnv): Promise<string | undefined> {
  if (spec.caBundle) return pemOf(spec.caBundle)
  const { caProvider } = spec
  if (!caProvider) return undefined
  const value =
    caProvider.type === 'ConfigMap'
      ? await env.configMapValue(caProvider)
      : await env.secretValue(caProvider).then((bytes) => bytes && Buffer.from(bytes).toString('utf8'))
  if (value === undefined) {
    throw invalid(`caProvider: ${caProvider.type} ${caProvider.name} has no key ${JSON.stringify(caProvider.key)}`)
  }
  return pemOf(value)
}

function pemOf(text: string): string {
  const pem = pemText(text)
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw invalid('caBundle: no certificate in PEM form found')
  return pem
}

function headersOf(spec: VaultSpec): Record<string, string> {
  const forward = spec.forwardInconsistent && spec.readYourWrites
  return { ...spec.headers, ...(forward && { 'X-Vault-Inconsistent': 'forward-active-node' }) }
}
