/** How requests reach an API server: over HTTPS (undici-transport.ts), or a function in this process. */
export interface KubeTransport {
  /** Rejects with Unreachable when no answer comes, with the signal's reason when it aborts. The body must be read or ended. */
  send(request: KubeRequest): Promise<KubeResponse>
  /** What is under way is rejected with Unreachable, and so is whatever is sent from now on. */
  close?(): Promise<void>
}
export interface KubeRequest {
  readonly method: string
  /** With the query, if any. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal?: AbortSignal
}
export interface KubeResponse {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: KubeBody
}
/** The pieces as they come. */
export interface KubeBody extends AsyncIterable<Uint8Array> {
  /** Hands over each piece until all are there: costs less than iterating. A throw of `take` ends it. */
  all?(take: (piece: Uint8Array) => void): Promise<void>
}

/** No (whole) answer: refused, reset, cut, certificate not trusted. `message` names the server and never a credential. */
export class Unreachable extends Error {
  override name = 'Unreachable'
  /** There was no connection, so the server has seen no byte of the request: it can be sent again, whatever it does. */
  readonly notSent: boolean

  constructor(message: string, options: ErrorOptions & { readonly notSent?: boolean } = {}) {
    super(message, options)
    this.notSent = options.notSent ?? false
  }
}

/** The whole body as text; throws when it is longer than `maxBytes` or cut. */
export async function readText(
  body: KubeBody,
  maxBytes = 256 * 1024 * 1024,
  onPiece: () => void = () => {},
): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  const take = (piece: Uint8Array) => {
    onPiece()
    size += piece.byteLength
    if (size > maxBytes) throw new Unreachable(`the answer is longer than ${maxBytes} bytes`)
    parts.push(piece)
  }
  if (body.all) await body.all(take)
  else for await (const part of body) take(part)
  return Buffer.concat(parts).toString('utf8')
}
