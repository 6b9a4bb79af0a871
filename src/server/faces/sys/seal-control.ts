/** What sys/init, sys/unseal, sys/seal and sys/seal-status act on. */

export interface SealStatus {
  readonly type: string
  readonly initialised: boolean
  readonly sealed: boolean
  readonly threshold: number
  readonly shares: number
  readonly progress: number
  /** Of the unsealing under way; '' for none. */
  readonly nonce: string
  readonly cluster?: { readonly name: string; readonly id: string }
}

export interface SealControl {
  status(): Promise<SealStatus>
  /** Keys are shares; both are shown once and kept nowhere. Refusal 400 when it was done before or the numbers are wrong. */
  initialise(config: {
    readonly shares: number
    readonly threshold: number
  }): Promise<{ readonly keys: readonly Uint8Array[]; readonly rootToken: string }>
  /** Takes one share; unseals when there are enough. Refusal 400 when they are wrong: progress is then 0. */
  unseal(share: Uint8Array): Promise<void>
  /** Forgets the shares that were given. */
  resetUnseal(): void
  /** The whole cluster: every node forgets its keys. */
  seal(): Promise<void>
}
