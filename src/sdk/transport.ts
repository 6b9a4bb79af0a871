/** How bytes reach the server; passed in, so that tests and the browser bring their own. */
export interface Transport {
  send(request: TransportRequest, signal?: AbortSignal): Promise<TransportResponse>
  /** For answers without end (sys/monitor): resolves when the status is there; no time limit from then on. */
  stream?(request: TransportRequest, signal?: AbortSignal): Promise<StreamedResponse>
  /** For bodies that may be larger than memory, either way: the time limit is for silence. No redirects. */
  transfer?(request: TransferRequest, signal?: AbortSignal): Promise<TransferResponse>
  close?(): Promise<void>
}
export interface TransferRequest extends Omit<TransportRequest, 'body'> {
  /** `file`: where the bytes come from, for who shows the request instead of sending it. */
  readonly source?: AsyncIterable<Uint8Array> & { readonly file?: string }
}
export interface TransferResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: AsyncIterable<Uint8Array>
}
export interface StreamedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: AsyncIterable<string>
}
export interface TransportRequest {
  readonly method: string
  /** With "/v1/" and, if any, the query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}
export interface TransportResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
}

/** No answer came: refused, reset, timed out, TLS not verified. `message` names the address and what to check. */
export class TransportError extends Error {
  override name = 'TransportError'
  /** False: the request certainly never reached the server, so that repeating it is safe. */
  readonly sent: boolean

  constructor(message: string, more: { cause?: unknown; sent?: boolean } = {}) {
    super(message, { cause: more.cause })
    this.sent = more.sent ?? true
  }
}
