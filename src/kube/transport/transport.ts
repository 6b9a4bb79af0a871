/** How requests reach an API server: over HTTPS (undici-transport.ts), or a function in this process. */
export interface KubeTransport {
  /** Rejects with Unreachable when no answer comes, with the signal's reason when it aborts. The body must be read or ended. */
  send(request: KubeRequest): Promise<KubeResponse>
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
  readonly body: AsyncIterable<Uint8Array>
}

/** No (whole) answer: refused, reset, cut, certificate not trusted. `message` names the server and never a credential. */
export class Unreachable extends Error {
  override name = 'Unreachable'
}

/** The whole body as text; throws when it is longer than `maxBytes` or cut. */
export async function readText(body: AsyncIterable<Uint8Array>, maxBytes = 256 * 1024 * 1024): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of body) {
    size += part.byteLength
    if (size > maxBytes) throw new Unreachable(`the answer is longer than ${maxBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
