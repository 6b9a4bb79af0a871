/** Who we are to the API server, fresh at each request. */
export interface CredentialSource {
  /** At once when it is at hand: this is asked for each request. */
  current(signal?: AbortSignal): Identity | Promise<Identity>
  /**
   * The server answered 401 to this identity: true when `current` may now give another one. The request is sent again only if
   * it does.
   */
  refused(identity: Identity): boolean
  /** Ends what it started. */
  close?(): void
}
export interface Identity {
  readonly headers: Readonly<Record<string, string>>
  readonly certPem?: string
  readonly keyPem?: string
}

/** Whom we believe to be the API server, fresh at each connection. */
export interface TrustSource {
  /** Authorities, PEM. */
  current(): string | Promise<string>
  /** No connection came about: what `current` gave may be out of date. */
  doubted(): void
}

export const fixedIdentity = (identity: Identity): CredentialSource => ({
  current: () => identity,
  refused: () => false,
})

export const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` })

/** Shows the certificate of one source together with the headers of the other. */
export function bothIdentities(headers: CredentialSource, certificate: CredentialSource): CredentialSource {
  let held: { from: readonly [Identity, Identity]; identity: Identity } | undefined
  return {
    async current(signal) {
      const from = await Promise.all([headers.current(signal), certificate.current(signal)])
      if (held?.from[0] !== from[0] || held.from[1] !== from[1]) {
        held = { from, identity: { ...from[1], headers: from[0].headers } }
      }
      return held.identity
    },
    refused(identity) {
      if (held?.identity !== identity) return true
      const [ofHeaders, ofCertificate] = held.from
      const answers = [headers.refused(ofHeaders), certificate.refused(ofCertificate)]
      return answers.includes(true)
    },
    close() {
      headers.close?.()
      certificate.close?.()
    },
  }
}
