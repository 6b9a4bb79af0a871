import type { ConnectSocket } from '../sdk/events.ts'
import { type Transport, TransportError, type TransportRequest, type TransportResponse } from '../sdk/transport.ts'

/** A small server for tests of the agent: Kubernetes login, KV version 2 at secret/, leases, outages, change notices. */
export class FakeServer {
  readonly requests: TransportRequest[] = []
  readonly secrets = new Map<string, { data: object; version: number }>()
  readonly leased = new Map<string, { data: object; lease: object }>()
  readonly validTokens = new Set<string>()
  policies = ['default', 'my-app']
  mode: 'up' | 'down' | 'sealed' | 'denying' = 'up'
  loginStatus = 200
  logins = 0
  tokenTtl = 3600
  /** What a token that the server does not know is answered; Vault from 1.17 on adds "invalid token". */
  badToken = ['permission denied']
  /** Paths that answer 500. */
  readonly broken = new Set<string>()
  renewalDenied = false
  readonly #listeners = new Set<{ push: (message: string) => void; end: () => void }>()

  readonly transport: Transport = { send: async (request) => this.#send(request) }

  put(name: string, data: object) {
    const version = (this.secrets.get(name)?.version ?? 0) + 1
    this.secrets.set(name, { data, version })
    const notice = {
      data: {
        event_type: 'kv-v2/data-write',
        event: { metadata: { data_path: `secret/data/${name}`, path: `secret/data/${name}`, operation: 'data-write' } },
        plugin_info: { mount_path: 'secret/' },
      },
    }
    for (const { push } of this.#listeners) push(JSON.stringify(notice))
  }

  stop(mode: 'down' | 'sealed' = 'down') {
    this.mode = mode
    for (const { end } of [...this.#listeners]) end()
  }

  get listeners(): number {
    return this.#listeners.size
  }

  readonly connect: ConnectSocket = async (_path, _headers, signal) => {
    if (this.mode === 'down') throw new TransportError('connect: connection refused', { sent: false })
    const queue: string[] = []
    let wake = () => {}
    let ended = false
    const listener = {
      push: (message: string) => {
        queue.push(message)
        wake()
      },
      end: () => {
        ended = true
        this.#listeners.delete(listener)
        wake()
      },
    }
    this.#listeners.add(listener)
    signal.addEventListener('abort', listener.end, { once: true })
    return (async function* () {
      for (;;) {
        const message = queue.shift()
        if (message !== undefined) yield message
        else if (ended) return
        else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    })()
  }

  /** Requests whose path has that beginning. */
  asked(path: string): TransportRequest[] {
    return this.requests.filter((r) => r.path.startsWith(`/v1/${path}`))
  }

  #send(request: TransportRequest): TransportResponse {
    this.requests.push(request)
    if (this.mode === 'down')
      throw new TransportError(`Get "${request.path}": connect: connection refused`, { sent: false })
    if (this.mode === 'sealed') return failure(503, 'Vault is sealed')
    const path = request.path.replace(/^\/v1\//, '').split('?')[0] ?? ''
    if (path === 'auth/kubernetes/login') return this.#login()
    if (!this.validTokens.has(request.headers['X-Vault-Token'] ?? '')) return failure(403, ...this.badToken)
    return this.#answer(path)
  }

  #login(): TransportResponse {
    if (this.loginStatus !== 200) return failure(this.loginStatus, 'invalid role name "my-app-role"')
    this.logins += 1
    const token = `hvs.canary-token-${this.logins}`
    this.validTokens.add(token)
    return success({ auth: { ...this.#auth(), client_token: token } })
  }

  #auth() {
    return {
      accessor: `accessor-${this.logins}`,
      policies: this.policies,
      token_policies: this.policies,
      lease_duration: this.tokenTtl,
      renewable: true,
    }
  }

  #answer(path: string): TransportResponse {
    if (this.broken.has(path)) return failure(500, 'internal error')
    if (this.renewalDenied && /renew/.test(path)) return failure(403, '1 error occurred:\n\t* permission denied\n\n')
    if (path === 'auth/token/renew-self') return success({ auth: { ...this.#auth(), client_token: 'kept' } })
    if (path.startsWith('sys/internal/ui/mounts/')) return this.#mount(path.slice('sys/internal/ui/mounts/'.length))
    if (this.mode === 'denying') return failure(403, '1 error occurred:\n\t* permission denied\n\n')
    const leased = this.leased.get(path)
    if (leased) return success({ data: leased.data, ...leased.lease })
    const secret = this.secrets.get(path.replace(/^secret\/data\//, ''))
    if (!secret || !path.startsWith('secret/data/')) return { status: 404, headers: {}, body: '{"errors":[]}' }
    const metadata = {
      created_time: '2026-01-02T03:04:05.678Z',
      custom_metadata: null,
      deletion_time: '',
      destroyed: false,
      version: secret.version,
    }
    return success({ data: { data: secret.data, metadata } })
  }

  #mount(path: string): TransportResponse {
    if (path.startsWith('secret/')) {
      return success({ data: { path: 'secret/', type: 'kv', options: { version: '2' } } })
    }
    if (path.startsWith('database/')) return success({ data: { path: 'database/', type: 'database', options: null } })
    return failure(403, 'preflight capability check returned 403, please ensure client’s policies grant access')
  }
}

const success = (members: object): TransportResponse => ({
  status: 200,
  headers: {},
  body: JSON.stringify({
    request_id: 'r',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    auth: null,
    ...members,
  }),
})

const failure = (status: number, ...errors: string[]): TransportResponse => ({
  status,
  headers: {},
  body: JSON.stringify({ errors }),
})
