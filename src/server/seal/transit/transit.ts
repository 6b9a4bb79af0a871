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
  /** Ends what is being asked. */
  readonly signal?: AbortSignal
}

const checked = Buffer.from('check')

/** The blob is the ciphertext as the other server gave it ("vault:v1:…"): it says itself which version of the key opens it. */
export function transitSeal({ client, mountPath, keyName, signal }: TransitSealOptions): Seal {
  const mount = mountPath.replace(/^\/+|\/+$/g, '')
  const name = `${mount}/${keyName}`
  /** With the version that the other server last said it encrypts with: a later one has the server wrap the root key anew. */
  let current = name
  const ask = async (verb: 'encrypt' | 'decrypt', body: Record<string, string>, member: string) => {
    const answer = await client.write(`${mount}/${verb}/${keyName}`, body, signal ? { signal } : {})
    const value = answer?.data?.[member]
    if (typeof value !== 'string') throw new Error(`transit ${verb} of the key "${name}" gave no ${member}`)
    return value
  }
  const encrypt = async (plaintext: Uint8Array) => {
    const ciphertext = await ask('encrypt', { plaintext: Buffer.from(plaintext).toString('base64') }, 'ciphertext')
    const version = /^\w+:(v\d+):/.exec(ciphertext)?.[1]
    current = version === undefined ? name : `${name}:${version}`
    return ciphertext
  }
  const decrypt = async (ciphertext: string) => Buffer.from(await ask('decrypt', { ciphertext }, 'plaintext'), 'base64')
  /** What can't be decrypted again, because its token may not, must not be all that opens the storage. */
  const encryptProven = async (plaintext: Uint8Array) => {
    const ciphertext = await encrypt(plaintext)
    const again = await decrypt(ciphertext)
    try {
      if (again.equals(plaintext)) return ciphertext
      throw new Error(`transit decrypts by the key "${name}" to something else than it encrypted`)
    } finally {
      again.fill(0)
    }
  }
  return {
    type: 'transit',
    automatic: true,
    keyId: () => current,
    wrap: async (key) => ({ blob: Buffer.from(await encryptProven(key)), keyId: current }),
    unwrap: async (blob, id) => {
      const key = await decrypt(Buffer.from(blob).toString('utf8'))
      // Unsealing needs no encryption: without it the root key stays as it is wrapped, and the watch over the seal says so.
      await encrypt(checked).catch(() => {
        current = id
      })
      return key
    },
    check: async () => {
      await encryptProven(checked)
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
      if (signal.aborted) throw error
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
