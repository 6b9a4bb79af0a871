/** The few calls to S3 that backups need. What they throw is a Refusal that says what to do; they end with `signal`. */
export interface S3Calls {
  put(key: string, body: Uint8Array, signal: AbortSignal): Promise<void>
  /** Answers the id of an upload in parts. */
  begin(key: string, signal: AbortSignal): Promise<string>
  /** `number`: from 1. All but the last have the same size, 5 MiB at least. */
  part(upload: S3Upload, number: number, body: Uint8Array, signal: AbortSignal): Promise<S3Part>
  complete(upload: S3Upload, parts: readonly S3Part[], signal: AbortSignal): Promise<void>
  abandon(upload: S3Upload, signal: AbortSignal): Promise<void>
  /** Uploads in parts that nobody has completed; undefined: we may not look. */
  unfinished(prefix: string, signal: AbortSignal): Promise<readonly S3Upload[] | undefined>
  list(prefix: string, signal: AbortSignal): Promise<readonly { readonly key: string; readonly bytes: number }[]>
  remove(key: string, signal: AbortSignal): Promise<void>
  /** Nothing is called after it. */
  close(): void
}

export interface S3Upload {
  readonly key: string
  readonly id: string
}

export interface S3Part {
  readonly number: number
  readonly etag: string
  /** As S3 has computed it, base64. */
  readonly crc32?: string
}
