import { type ConnectSocket, SocketRefused } from '../../../sdk/events.ts'
import {
  type Transport,
  TransportError,
  type TransportRequest,
  type TransportResponse,
} from '../../../sdk/transport.ts'

/** For tests: the answers of a server with KV version 2 at secret/, Kubernetes auth and events, in this process. */
export class FakeVault {
  /** Path below the mount -> the JSON text of its members. */
  readonly #secrets = new Map<string, string>()
  readonly #tokens = new Set<string>()
  readonly #streams = new Set<Stream>()
  #state: 'up' | 'down' | 'sealed' = 'up'
  #logins = 0
  readonly requests: string[] = []

  get logins(): number {
    return this.#logins
  }

  put(path: string, json: string): void {
    this.#secrets.set(path, json)
    this.#tell('kv-v2/data-write', `secret/data/${path}`)
  }

  remove(path: string): void {
    this.#secrets.delete(path)
    this.#tell('kv-v2/metadata-delete', `secret/metadata/${path}`)
  }

  set(state: 'up' | 'down' | 'sealed'): void {
    this.#state = state
    if (state !== 'up') for (const stream of this.#streams) stream.end()
  }

  /** Restarted without its storage: every token is unknown. */
  forgetTokens(): void {
    this.#tokens.clear()
  }

  readonly transport: Transport = {
    send: async (request) => {
      this.requests.push(`${request.method} ${request.path}`)
      if (this.#state === 'down')
        throw new TransportError('Get "http://vault": connect: connection refused', { sent: false })
      return { headers: {}, ...this.#answer(request) }
    },
  }

  readonly connect: ConnectSocket = async (path, headers, signal) => {
    if (this.#state === 'down') throw new TransportError('connection refused')
    if (this.#state === 'sealed') throw new SocketRefused(503)
    if (!path.startsWith('/v1/sys/events/subscribe/kv-v2/')) throw new SocketRefused(404)
    if (!this.#tokens.has(headers['X-Vault-Token'] ?? '')) throw new SocketRefused(403)
    const stream = new Stream(() => this.#streams.delete(stream))
    this.#streams.add(stream)
    signal.addEventListener('abort', () => stream.end(), { once: true })
    return stream.messages()
  }

  #tell(type: string, path: string): void {
    const message = {
      data: { event_type: type, event: { metadata: { path } }, plugin_info: { mount_path: 'secret/', plugin: 'kv' } },
    }
    for (const stream of this.#streams) stream.push(JSON.stringify(message))
  }

  #answer({ path, headers }: TransportRequest): Pick<TransportResponse, 'status' | 'body'> {
    if (path === '/v1/sys/seal-status') return { status: 200, body: `{"sealed":${this.#state === 'sealed'}}` }
    if (this.#state === 'sealed') return { status: 503, body: '{"errors":["Vault is sealed"]}' }
    if (path === '/v1/auth/kubernetes/login') {
      this.#logins += 1
      const token = `hvs.${this.#logins}`
      this.#tokens.add(token)
      return envelope(`"auth":{"client_token":"${token}","lease_duration":3600,"renewable":false}`)
    }
    const token = headers['X-Vault-Token'] ?? ''
    if (!this.#tokens.has(token)) return { status: 403, body: '{"errors":["permission denied"]}' }
    if (path === '/v1/auth/token/lookup-self') return envelope('"data":{"ttl":3600}')
    if (path === '/v1/auth/token/revoke-self') {
      this.#tokens.delete(token)
      return { status: 204, body: '' }
    }
    const [, name] = /^\/v1\/secret\/data\/([^?]+)/.exec(path) ?? []
    if (name === undefined) return { status: 404, body: `{"errors":["no handler for route \\"${path}\\""]}` }
    const members = this.#secrets.get(name)
    if (members === undefined) return { status: 404, body: '{"errors":[]}' }
    return envelope(`"data":{"data":${members},"metadata":{"version":1}}`)
  }
}

const envelope = (members: string) => ({ status: 200, body: `{"request_id":"r","lease_id":"",${members}}` })

class Stream {
  readonly #queue: string[] = []
  readonly #onEnd: () => void
  #ended = false
  #wake = () => {}

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  push(message: string): void {
    this.#queue.push(message)
    this.#wake()
  }

  end(): void {
    this.#ended = true
    this.#onEnd()
    this.#wake()
  }

  async *messages(): AsyncGenerator<string> {
    for (;;) {
      const next = this.#queue.shift()
      if (next !== undefined) yield next
      else if (this.#ended) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }
}
