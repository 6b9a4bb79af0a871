/** What sys/init, sys/unseal, sys/seal and sys/seal-status act on. */
import type { KeyRotation } from './key-rotation.ts'
import type { Rekey } from './rekey/rekey.ts'
import type { RootGeneration } from './rekey/root-generation.ts'

export interface SealStatus {
  readonly type: string
  readonly initialised: boolean
  readonly sealed: boolean
  /** Of unseal keys, or of recovery keys where the server unseals itself. */
  readonly threshold: number
  readonly shares: number
  readonly progress: number
  /** Of the unsealing under way; '' for none. */
  readonly nonce: string
  /** The server unseals itself and its keys are recovery keys. */
  readonly recovery: boolean
  /** Storage is still protected by another seal than the one configured: unseal keys with migrate=true go on. */
  readonly migration: boolean
  readonly cluster?: { readonly name: string; readonly id: string }
}

export interface InitRequest {
  readonly shares: number
  readonly threshold: number
  readonly recoveryShares?: number
  readonly recoveryThreshold?: number
  /** One for each unseal key, or recovery key where the server unseals itself: those go out encrypted to them. None: bare. */
  readonly pgpKeys?: readonly string[]
  /** The root token goes out encrypted to it. Absent or '': bare. */
  readonly rootPgpKey?: string
}

export interface InitResult {
  /** Shares, or the messages that hold them. */
  readonly keys: readonly Uint8Array[]
  readonly recoveryKeys: readonly Uint8Array[]
  /** Or base64 of the message that holds it. */
  readonly rootToken: string
}

export interface SealControl {
  readonly rekey: Rekey
  readonly rootGeneration: RootGeneration
  readonly rotation: KeyRotation
  status(): Promise<SealStatus>
  /** All of it is shown once and kept nowhere. Refusal 400 when it was done before or the numbers are wrong. */
  initialise(request: InitRequest): Promise<InitResult>
  /** Takes one share; unseals when there are enough. Refusal 400 when they are wrong: progress is then 0. */
  unseal(share: Uint8Array, migrate?: boolean): Promise<void>
  /** Forgets the shares that were given. */
  resetUnseal(): void
  /** The whole cluster: every node forgets its keys. */
  seal(): Promise<void>
  /** This node forgets its keys; resolves when no request is under way any more. */
  close(): Promise<void>
  /** This node gives up the housekeeping, for another to take it. */
  stepDown(): Promise<void>
}
