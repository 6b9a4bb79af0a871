/** Who we are to the API server, fresh at each request. */
export interface CredentialSource {
  current(signal?: AbortSignal): Promise<Identity>
  /** The server answered 401 to this identity: true when another try may bring another one. */
  refused(identity: Identity): boolean
}
export interface Identity {
  readonly headers: Readonly<Record<string, string>>
  readonly certPem?: string
  readonly keyPem?: string
}

export const fixedIdentity = (identity: Identity): CredentialSource => ({
  current: async () => identity,
  refused: () => false,
})

export const bearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` })
