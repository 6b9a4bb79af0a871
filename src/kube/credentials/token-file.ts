import { bearer, type CredentialSource, type Identity } from './credential-source.ts'
import { FreshFile, type FreshFileOptions } from './fresh-file.ts'

/** A bearer token in a file that the kubelet replaces: read again each minute and after a 401. */
export function tokenFile(options: FreshFileOptions): CredentialSource {
  const file = new FreshFile(options)
  let held: { text: string; identity: Identity } | undefined
  return {
    async current() {
      const text = await file.current()
      if (held?.text !== text) held = { text, identity: { headers: bearer(text.trim()) } }
      return held.identity
    },
    refused(identity) {
      if (held?.identity === identity) file.expire()
      return true
    },
  }
}
