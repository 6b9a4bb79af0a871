import { type Clock, systemClock } from '../../lib/clock.ts'
import type { JsonObject } from '../../lib/json/value.ts'
import { type RandomBytes, systemRandom } from '../../lib/random.ts'
import { type CallOptions, type Query, VaultClient, type VaultRequest, type VaultResponse } from '../client.ts'
import { type Envelope, integer } from '../envelope.ts'
import { type ConnectSocket, type ServerEvent, SocketRefused, subscribe } from '../events.ts'
import { createNodeTransport, type NodeTransportOptions } from '../node-transport.ts'
import { type LifetimeEnd, type WatchedLease, watchLifetime } from '../renewal.ts'
import { ResponseError } from '../response-error.ts'
import type { Transport } from '../transport.ts'
import { createSocketConnector } from '../web-socket.ts'
import { type Login, tokenLogin } from './logins.ts'
import { TokenSession } from './token-session.ts'

export interface ConnectOptions extends NodeTransportOptions {
  /** How to get a token: kubernetesLogin, passwordLogin, tokenLogin or a function of your own. */
  readonly login?: Login
  /** Short for tokenLogin(token). Neither: calls go without a token. */
  readonly token?: string
  readonly namespace?: string
  /** Repeats after 412, 429 and 5xx except 501, and when a request never left. Default 2. */
  readonly maxRetries?: number
  onRenewalError?(error: unknown, retryMs: number): void
  /** For tests. */
  readonly clock?: Clock
  readonly random?: RandomBytes
  readonly transport?: Transport
  readonly connectSocket?: ConnectSocket
}

/**
 * A client for programs that run for long: logs in when first used, renews its token, logs in again when the server no
 * longer knows it. Errors: ResponseError, TransportError, LoginIncomplete, the reason of a signal.
 */
export function connect(options: ConnectOptions): CofferClient {
  return new CofferClient(options)
}

export class CofferClient {
  readonly #client: VaultClient
  readonly #transport: Transport
  readonly #session: TokenSession | undefined
  readonly #options: ConnectOptions
  readonly #clock: Clock
  readonly #random: RandomBytes

  constructor(options: ConnectOptions) {
    // Mostly an environment variable that is not set, in a program without types.
    if (typeof options.address !== 'string' || options.address === '') {
      throw new TypeError("connect needs an address, as in { address: 'https://127.0.0.1:8200' }")
    }
    const { clock = systemClock, random = systemRandom, maxRetries, namespace, token } = options
    this.#options = options
    this.#clock = clock
    this.#random = random
    this.#transport = options.transport ?? createNodeTransport(options)
    this.#client = new VaultClient({
      transport: this.#transport,
      clock,
      random,
      address: options.address.replace(/\/+$/, ''),
      ...(maxRetries !== undefined && { maxRetries }),
      ...(namespace !== undefined && { namespace }),
    })
    const login = options.login ?? (token === undefined ? undefined : tokenLogin(token))
    const { onRenewalError } = options
    this.#session =
      login &&
      new TokenSession({ client: this.#client, login, clock, random, ...(onRenewalError && { onRenewalError }) })
  }

  /** Undefined: nothing there. A deleted KV version has `data.data` null. */
  read(path: string, query?: Query, options?: CallOptions): Promise<Envelope | undefined> {
    return this.#withToken(options, (given) => this.#client.read(path, query, given))
  }

  /** Undefined: nothing there. Keys are in `data.keys`. */
  list(path: string, options?: CallOptions): Promise<Envelope | undefined> {
    return this.#withToken(options, (given) => this.#client.list(path, given))
  }

  /** Undefined: done, without content. */
  write(path: string, data?: JsonObject, options?: CallOptions): Promise<Envelope | undefined> {
    return this.#withToken(options, (given) => this.#client.write(path, data, given))
  }

  patch(path: string, data: JsonObject, options?: CallOptions): Promise<Envelope | undefined> {
    return this.#withToken(options, (given) => this.#client.patch(path, data, given))
  }

  delete(path: string, query?: Query, options?: CallOptions): Promise<Envelope | undefined> {
    return this.#withToken(options, (given) => this.#client.delete(path, query, given))
  }

  /** Anything else: documents without envelope, statuses that are answers. */
  request(request: VaultRequest): Promise<VaultResponse> {
    return this.#withToken(request, (given) => this.#client.request({ ...request, ...given }))
  }

  /** Keeps the lease of a dynamic secret alive; resolves when a new secret has to be read. */
  watchLease(
    secret: Envelope,
    options: { readonly signal: AbortSignal; onRenewed?(lease: WatchedLease): void },
  ): Promise<LifetimeEnd> {
    const { signal, onRenewed } = options
    return watchLifetime({
      lease: { leaseDuration: secret.lease_duration, renewable: secret.renewable },
      clock: this.#clock,
      random: this.#random,
      signal,
      ...(onRenewed && { onRenewed }),
      renew: async (stop) => {
        const answer = await this.write('sys/leases/renew', { lease_id: secret.lease_id }, { signal: stop })
        return { leaseDuration: integer(answer?.lease_duration), renewable: answer?.renewable ?? false }
      },
    })
  }

  /** Notices of changes ("kv-v2/*") until the signal aborts, over cuts and new tokens. After 'reset' read everything again. */
  async *events(type: string, options: { readonly signal: AbortSignal }): AsyncGenerator<ServerEvent, void, undefined> {
    const { namespace } = this.#options
    const socket = this.#options.connectSocket ?? createSocketConnector({ ...this.#options, clock: this.#clock })
    yield* subscribe({
      connect: (path, headers, signal) => this.#openSocket(socket, path, headers, signal),
      token: '',
      type,
      clock: this.#clock,
      random: this.#random,
      signal: options.signal,
      ...(namespace !== undefined && { namespace }),
    })
  }

  /** Ends renewal, revokes the token if a login of this client made it, closes connections. */
  async close(): Promise<void> {
    await this.#session?.close()
    await this.#transport.close?.()
  }

  async #openSocket(
    socket: ConnectSocket,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) {
    const held = await this.#session?.token(signal)
    try {
      return await socket(path, { ...headers, ...(held && { 'X-Vault-Token': held.token }) }, signal)
    } catch (error) {
      // The handshake does not say whether the token has ended or a policy says no: this call finds out, for the next try.
      if (error instanceof SocketRefused && error.status === 403) {
        await this.read('auth/token/lookup-self', undefined, { signal }).catch(() => undefined)
      }
      throw error
    }
  }

  /** With a token of the call's own nothing is done about refusals. */
  async #withToken<T>(given: CallOptions | undefined, call: (options: CallOptions) => Promise<T>): Promise<T> {
    const session = this.#session
    if (!session || given?.token !== undefined) return call(given ?? {})
    const { token, fresh } = await session.token(given?.signal)
    try {
      return await call({ ...given, token })
    } catch (error) {
      if (!(error instanceof ResponseError) || !error.tokenInvalid) throw error
      session.refused(token)
      if (fresh) throw error
      const again = await session.token(given?.signal)
      return call({ ...given, token: again.token })
    }
  }
}
