/** Where audit lines go. */
export interface AuditDevice {
  readonly type: string
  /** True: a line may come in several pieces, of which only the last ends with a newline. */
  readonly takesPieces?: boolean
  /** Each line ends with its newline. Resolves when the kernel has all lines, in order (fsync is an option); rejects after its deadline. */
  write(lines: readonly Uint8Array[], signal: AbortSignal): Promise<void>
  /** SIGHUP: the file was moved away. */
  reopen?(): Promise<void>
  close(): Promise<void>
}

/** A kind of audit device; one line each in programs/. */
export interface AuditDeviceType {
  readonly type: string
  /** Names of the options of this type, besides those that every device has: others are refused. Absent: all are taken. */
  readonly options?: readonly string[]
  /** Opens what `options` name. Refusal 400 when they are wrong or not allowed. */
  open(options: Readonly<Record<string, string>>): Promise<AuditDevice>
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
