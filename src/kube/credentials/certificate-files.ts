import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CredentialSource, Identity, TrustSource } from './credential-source.ts'
import { FreshFile, type FreshFileOptions } from './fresh-file.ts'

/** A client certificate and its key in two files that are replaced together: read again each minute and after a 401. */
export function certificateFiles(options: FreshFileOptions & { readonly keyPath: string }): CredentialSource {
  const certificate = new FreshFile(options)
  const key = new FreshFile({ ...options, path: options.keyPath })
  const expire = () => {
    certificate.expire()
    key.expire()
  }
  let held: Identity | undefined
  return {
    async current() {
      const [certPem, keyPem] = await Promise.all([certificate.current(), key.current()])
      if (held?.certPem === certPem && held.keyPem === keyPem) return held
      // Between the writes of the two they don't belong together: the old pair goes on until they do.
      if (held && !belongTogether(certPem, keyPem)) expire()
      else held = { headers: {}, certPem, keyPem }
      return held
    },
    refused(identity) {
      if (held?.certPem === identity.certPem) expire()
      return true
    },
  }
}

/** Authorities in a file: read again each minute and when a connection did not come about. */
export function trustFile(options: FreshFileOptions): TrustSource {
  const file = new FreshFile(options)
  return { current: () => file.current(), doubted: () => file.expire() }
}

function belongTogether(certPem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem))
  } catch {
    // Half written.
    return false
  }
}
