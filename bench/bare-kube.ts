/** What the same requests cost with nothing but undici and JSON.parse: the measure for src/kube. */
import { Pool } from 'undici'

export interface BareKube {
  /** The parsed answer; throws on anything but 2xx. */
  send(method: string, path: string, body?: string, contentType?: string): Promise<unknown>
  /** Each frame of a watch, parsed, until the callback returns true. */
  watch(path: string, onFrame: (frame: BareFrame) => boolean): Promise<void>
  close(): Promise<void>
}
export interface BareFrame {
  readonly type: string
  readonly object: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }
}

export function createBareKube(options: { server: string; caPem: string; token: string }): BareKube {
  // Not an Agent: undici 7.30's drops its pool with each connection once some have timed out, and so makes one for each request.
  const pool = new Pool(options.server, { pipelining: 1, keepAliveTimeout: 30_000, connect: { ca: options.caPem } })
  const headers = { authorization: `Bearer ${options.token}`, accept: 'application/json', 'user-agent': 'bare' }
  return {
    async send(method, path, body, contentType) {
      const answer = await pool.request({
        path,
        method: method === 'PATCH' ? 'PATCH' : 'GET',
        headers: contentType === undefined ? headers : { ...headers, 'content-type': contentType },
        body: body ?? null,
      })
      const parsed: unknown = await answer.body.json()
      if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${JSON.stringify(parsed)}`)
      return parsed
    },
    async watch(path, onFrame) {
      const stop = new AbortController()
      const answer = await pool.request({ path, method: 'GET', headers, bodyTimeout: 0, signal: stop.signal })
      if (answer.statusCode !== 200) throw new Error(`watch ${path}: ${answer.statusCode}`)
      let rest = ''
      answer.body.setEncoding('utf8')
      for await (const chunk of answer.body) {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) {
          const frame: BareFrame = JSON.parse(line)
          if (onFrame(frame)) {
            answer.body.on('error', () => {})
            stop.abort()
            return
          }
        }
      }
      throw new Error(`watch ${path}: ended`)
    },
    close: () => pool.destroy(),
  }
}
