import { bearer, type CredentialSource, type Identity } from './credential-source.ts'
import { FreshFile, type FreshFileOptions } from './fresh-file.ts'

/** A bearer token in a file that the kubelet replaces: read again each minute and after a 401. */
export function tokenFile(options: FreshFileOptions): CredentialSource {
  const file = new FreshFile(options)
  let held: { text: string; identity: Identity } | undefined
  const identityOf = (text: string): Identity => {
    if (held?.text !== text) held = { text, identity: { headers: bearer(text.trim()) } }
    return held.identity
  }
  return {
    current() {
      const text = file.current()
      return typeof text === 'string' ? identityOf(text) : text.then(identityOf)
    },
    refused(identity) {
      if (held?.identity === identity) file.expire()
      return true
    },
  }
}
