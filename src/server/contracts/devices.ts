/** Where audit lines go. */
export interface AuditDevice {
  readonly type: string
  /** Resolves when the kernel has all lines, in order (fsync is an option); rejects after its deadline. */
  write(lines: readonly Uint8Array[], signal: AbortSignal): Promise<void>
  /** SIGHUP: the file was moved away. */
  reopen?(): Promise<void>
  close(): Promise<void>
}

/** Protects the root key. */
export interface Seal {
  readonly type: string
  /** True when the server can unseal itself. */
  readonly automatic: boolean
  keyId(): string
  wrap(key: Uint8Array): Promise<{ blob: Uint8Array; keyId: string }>
  unwrap(blob: Uint8Array, keyId: string): Promise<Uint8Array>
  check(): Promise<void>
}
