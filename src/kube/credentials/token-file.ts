import type { Clock } from '../../lib/clock.ts'
import { bearer, type CredentialSource, type Identity } from './credential-source.ts'

const rereadMs = 60_000

/** A bearer token in a file that the kubelet replaces: read again each minute and after a 401. */
export function tokenFile(options: {
  path: string
  clock: Clock
  readFile: (path: string) => Promise<string>
}): CredentialSource {
  let held: { identity: Identity; readAt: number } | undefined
  return {
    async current() {
      const now = options.clock.monotonic()
      if (held && now - held.readAt < rereadMs) return held.identity
      try {
        const token = (await options.readFile(options.path)).trim()
        if (token === '') throw new Error(`the token file ${options.path} is empty`)
        held = { identity: { headers: bearer(token) }, readAt: now }
      } catch (error) {
        // The token that we have may still be good: it is better than none.
        if (!held) throw error
      }
      return held.identity
    },
    refused(identity) {
      if (held?.identity === identity) held = { identity, readAt: Number.NEGATIVE_INFINITY }
      return true
    },
  }
}
