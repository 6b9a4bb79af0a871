/** What a secret store is to the controller. A provider is one folder here and one line in programs/controller.ts. */
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/log.ts'
import type { RandomBytes } from '../../lib/random.ts'

export interface SecretStoreProvider {
  /** The member of spec.provider: "vault". */
  readonly name: string
  /**
   * Reads its spec and what it refers to in the cluster; asks nothing of the store itself (that is `check`).
   * Throws ProviderError 'invalid' naming the field that it can't use.
   */
  open(spec: unknown, env: StoreEnv): Promise<StoreSession>
}

/** What a session may know of the cluster: only its own namespace. */
export interface StoreEnv {
  readonly namespace: string
  /** Undefined: no such object or key. */
  secretValue(ref: { name: string; key: string }): Promise<Uint8Array | undefined>
  configMapValue(ref: { name: string; key: string }): Promise<string | undefined>
  /** A fresh token of the service account, by TokenRequest. */
  serviceAccountToken(ref: { name: string; audiences: readonly string[]; ttlSeconds: number }): Promise<string>
  /** The controller's own service account; undefined outside a cluster. */
  ownToken(): Promise<string | undefined>
  readonly maxRetries: number
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

/** Open for as long as the store object is unchanged; shared by all ExternalSecrets of the store. */
export interface StoreSession {
  readonly reader?: SecretReader
  /** Proves that the store answers and lets us in. Throws ProviderError. */
  check(signal: AbortSignal): Promise<'ready' | 'unknown'>
  close?(): Promise<void>
}

export interface RemoteRef {
  readonly key: string
  readonly property?: string
  readonly version?: string
}

export interface SecretReader {
  /**
   * Undefined: the store says for sure that there is no such secret; deletionPolicy decides, not the provider. A value
   * with members is JSON text. Throws ProviderError.
   */
  get(ref: RemoteRef, signal: AbortSignal): Promise<Uint8Array | undefined>
  /** Two refs with one location name the same secret, however they are spelled. */
  locate(ref: RemoteRef): string
  /**
   * Locations whose value changed, as soon as the store tells. 'reset': from now on told of everything, what was before may
   * have been missed. 'lost': not told until the next 'reset'; the store may be down. Ends when it can't be told of changes.
   */
  watch?(signal: AbortSignal): AsyncIterable<StoreNotice>
}
export type StoreNotice = { readonly location: string } | 'reset' | 'lost'

/**
 * outage: no answer, 5xx or sealed; nothing is known, old values stay. denied: the store refuses us. invalid: the store object
 * must be changed. failed: this one ref can't be served. `message` may be shown in events: never a value.
 */
export type ProviderErrorCode = 'outage' | 'denied' | 'invalid' | 'failed'
export type OutageReason = 'StoreUnreachable' | 'StoreSealed' | 'StoreFailing'

export class ProviderError extends Error {
  override name = 'ProviderError'
  readonly code: ProviderErrorCode
  /** With 'outage' only. */
  readonly reason: OutageReason | undefined

  constructor(code: ProviderErrorCode, message: string, more: { cause?: unknown; reason?: OutageReason } = {}) {
    super(message, { cause: more.cause })
    this.code = code
    this.reason = code === 'outage' ? (more.reason ?? 'StoreUnreachable') : undefined
  }
}
