/** The seal of another server's transit engine: the root key can be opened only with that server's help. */

import type { Clock } from '../../../lib/clock.ts'
import type { Logger } from '../../../lib/log.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import type { VaultClient } from '../../../sdk/client.ts'
import { watchLifetime } from '../../../sdk/renewal.ts'
import type { Seal } from '../../contracts/devices.ts'

export interface TransitSealOptions {
  /** Speaks to the other server, with its address, token and namespace; repeats what failed on the way. */
  readonly client: VaultClient
  /** Where its transit engine is mounted: "transit". */
  readonly mountPath: string
  readonly keyName: string
}

/** The blob is the ciphertext as the other server gave it ("vault:v1:…"): it says itself which version of the key opens it. */
export function transitSeal({ client, mountPath, keyName }: TransitSealOptions): Seal {
  const mount = mountPath.replace(/^\/+|\/+$/g, '')
  const keyId = `${mount}/${keyName}`
  const ask = async (verb: 'encrypt' | 'decrypt', body: Record<string, string>, member: string) => {
    const answer = await client.write(`${mount}/${verb}/${keyName}`, body)
    const value = answer?.data?.[member]
    if (typeof value !== 'string') throw new Error(`transit ${verb} of the key "${keyId}" gave no ${member}`)
    return value
  }
  return {
    type: 'transit',
    automatic: true,
    keyId: () => keyId,
    wrap: async (key) => {
      const ciphertext = await ask('encrypt', { plaintext: Buffer.from(key).toString('base64') }, 'ciphertext')
      return { blob: Buffer.from(ciphertext), keyId }
    },
    unwrap: async (blob) => {
      const ciphertext = Buffer.from(blob).toString('utf8')
      return Buffer.from(await ask('decrypt', { ciphertext }, 'plaintext'), 'base64')
    },
    check: async () => {
      await ask('encrypt', { plaintext: Buffer.from('check').toString('base64') }, 'ciphertext')
    },
  }
}

const retryMs = 60_000

/** Renews the token for the other server while it can be renewed; a token that can't is used as long as it lasts. */
export async function renewSealToken(options: {
  readonly client: VaultClient
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
  readonly signal: AbortSignal
}): Promise<void> {
  const { client, clock, log, signal } = options
  while (!signal.aborted) {
    const token = await client.read('auth/token/lookup-self', undefined, { signal }).catch((error: unknown) => {
      log.warn('the token of the transit seal can not be looked up', { error: String(error) })
      return undefined
    })
    const { ttl, renewable } = token?.data ?? {}
    if (token && (typeof ttl !== 'number' || ttl === 0 || renewable !== true)) return
    if (token && typeof ttl === 'number') {
      const end = await watchLifetime({
        ...options,
        lease: { leaseDuration: ttl, renewable: true },
        renew: async (renewing) => {
          const renewed = (await client.write('auth/token/renew-self', {}, { signal: renewing }))?.auth
          return { leaseDuration: renewed?.lease_duration ?? 0, renewable: renewed?.renewable ?? false }
        },
        onError: (error) => warn(log, error),
      })
      log.warn('the token of the transit seal is running out', { end })
    }
    await clock.sleep(retryMs, signal)
  }
}

function warn(log: Logger, error: unknown): void {
  log.warn('the token of the transit seal was not renewed', { error: String(error) })
}
