import type { JsonObject } from '../../../lib/json/value.ts'
import type { VaultClient, VaultResponse } from '../../../sdk/client.ts'
import { isObject } from '../../../sdk/envelope.ts'
import { type ConnectSocket, SocketRefused, subscribe } from '../../../sdk/events.ts'
import { ResponseError } from '../../../sdk/response-error.ts'
import { TransportError } from '../../../sdk/transport.ts'
import {
  ProviderError,
  type RemoteRef,
  type SecretReader,
  type StoreEnv,
  type StoreNotice,
  type StoreSession,
} from '../provider.ts'
import { providerErrorOf } from './failure.ts'
import { noticedPath, requestPath } from './path.ts'
import type { VaultSpec } from './spec.ts'
import type { TokenKeeper } from './token-keeper.ts'
import { remoteValue } from './values.ts'

export interface VaultSessionOptions {
  readonly spec: VaultSpec
  readonly client: VaultClient
  readonly tokens: TokenKeeper
  readonly connect: ConnectSocket
  readonly env: StoreEnv
  closeTransport(): Promise<void>
}

/** Reads of one path that run at the same time are one request; a change notice ends that, so that nobody gets a value older than it. */
export class VaultSession implements StoreSession, SecretReader {
  readonly reader: SecretReader = this
  readonly watch: ((signal: AbortSignal) => AsyncIterable<StoreNotice>) | undefined
  readonly #options: VaultSessionOptions
  readonly #running = new Map<string, Promise<JsonObject | undefined>>()
  readonly #closed = new AbortController()

  constructor(options: VaultSessionOptions) {
    this.#options = options
    // KV version 1 sends no notices.
    this.watch = options.spec.version === 'v2' ? (signal) => this.#watch(signal) : undefined
  }

  locate(ref: RemoteRef): string {
    return requestPath({ path: this.#options.spec.path, version: this.#options.spec.version }, ref.key)
  }

  async get(ref: RemoteRef): Promise<Uint8Array | undefined> {
    const path = this.locate(ref)
    const version = this.#options.spec.version === 'v2' && ref.version ? ref.version : ''
    const data = await this.#readOnce(path, version)
    return data && remoteValue(data, ref.property)
  }

  async check(): Promise<'ready'> {
    const { client, tokens, env } = this.#options
    const { token, justGranted } = await this.#obtain()
    if (justGranted) return 'ready'
    try {
      if (token !== '') await client.request({ method: 'GET', path: 'auth/token/lookup-self', token })
      else if (await this.#isSealed()) throw sealed('cannot check the store')
    } catch (error) {
      if (!isRefusal(error)) throw await this.#explain(error, 'cannot check the store')
      env.log.info('store.token_refused')
      tokens.refused(token)
      await this.#obtain()
    }
    return 'ready'
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('the session is closed'))
    await this.#options.tokens.close()
    await this.#options.closeTransport()
  }

  async #obtain(): Promise<{ token: string; justGranted: boolean }> {
    try {
      return await this.#options.tokens.obtain()
    } catch (error) {
      throw await this.#explain(error, 'unable to log in to Vault')
    }
  }

  #readOnce(path: string, version: string): Promise<JsonObject | undefined> {
    const key = `${version} ${path}`
    const running = this.#running.get(key)
    if (running) return running
    const started = this.#read(path, version).finally(() => {
      if (this.#running.get(key) === started) this.#running.delete(key)
    })
    this.#running.set(key, started)
    return started
  }

  async #read(path: string, version: string): Promise<JsonObject | undefined> {
    const { token } = await this.#obtain()
    try {
      return await this.#readWith(path, version, token)
    } catch (error) {
      if (!isRefusal(error) || token === '' || (await this.#stillValid(token)))
        throw await this.#explain(error, reading)
    }
    this.#options.tokens.refused(token)
    const again = await this.#obtain()
    try {
      return await this.#readWith(path, version, again.token)
    } catch (error) {
      throw await this.#explain(error, reading)
    }
  }

  /** A refused read means a dead token or a policy; only the first is mended by another login. */
  async #stillValid(token: string): Promise<boolean> {
    const answer = await this.#options.client
      .request({ method: 'GET', path: 'auth/token/lookup-self', token })
      .catch(() => undefined)
    return answer !== undefined
  }

  async #readWith(path: string, version: string, token: string): Promise<JsonObject | undefined> {
    const send = () =>
      this.#options.client.request({
        method: 'GET',
        path,
        token,
        accept: [404],
        ...(version !== '' && { query: { version } }),
        signal: this.#closed.signal,
      })
    // A kept connection may have been closed just now: that is no outage.
    const answer = await send().catch((error) => {
      if (error instanceof TransportError && error.sent) return send()
      throw error
    })
    return membersOf(answer, path, this.#options.spec.version)
  }

  async #explain(error: unknown, doing: string): Promise<unknown> {
    const explained = providerErrorOf(error, doing)
    if (!(error instanceof ResponseError) || error.status !== 503) return explained
    const isSealed = await this.#isSealed().catch(() => false)
    return isSealed ? sealed(doing, error) : explained
  }

  async #isSealed(): Promise<boolean> {
    const { document } = await this.#options.client.request({ method: 'GET', path: 'sys/seal-status', token: '' })
    return isObject(document) && document['sealed'] === true
  }

  /** A valid token that may not subscribe is as good as a server without events: not to be tried each second. */
  readonly #connect: ConnectSocket = async (path, headers, signal) => {
    try {
      return await this.#options.connect(path, headers, signal)
    } catch (error) {
      const forbidden = error instanceof SocketRefused && error.status === 403
      if (!forbidden || !(await this.#stillValid(headers['X-Vault-Token'] ?? ''))) throw error
      this.#options.env.log.warn('store.events_forbidden', { server: this.#options.spec.server })
      throw new SocketRefused(404)
    }
  }

  async *#watch(signal: AbortSignal): AsyncIterable<StoreNotice> {
    const { tokens, env, spec } = this.#options
    const events = subscribe({
      connect: (path, headers, stop) => this.#connect(path, headers, stop),
      token: () => tokens.latest(),
      type: 'kv-v2/*',
      clock: env.clock,
      random: env.random,
      signal: AbortSignal.any([signal, this.#closed.signal]),
      maxPauseMs: longestPauseMs,
      ...(spec.namespace !== undefined && { namespace: spec.namespace }),
    })
    for await (const event of events) {
      if (event === 'unsupported') {
        env.log.info('store.events_unsupported', { server: spec.server })
        continue
      }
      this.#running.clear()
      yield typeof event === 'string' ? event : { location: noticedPath(event) }
    }
  }
}

const reading = 'cannot read secret data from Vault'
const longestPauseMs = 1000

const sealed = (doing: string, cause?: unknown) =>
  new ProviderError('outage', `${doing}: the server is sealed`, { cause, reason: 'StoreSealed' })

const isRefusal = (error: unknown): error is ResponseError =>
  error instanceof ResponseError && (error.status === 403 || error.status === 401)

/**
 * Undefined only when the KV engine itself says that there is nothing (no error lines, or a deleted version's metadata). A
 * missing mount or a proxy's 404 is an error: deletionPolicy Delete must not act on it.
 */
function membersOf(answer: VaultResponse, path: string, version: 'v1' | 'v2'): JsonObject | undefined {
  const outer = answer.envelope?.data
  if (answer.status === 404) {
    const lines = isObject(answer.document) ? answer.document['errors'] : undefined
    if (Array.isArray(lines) && lines.length === 0) return undefined
    if (version === 'v2' && outer && isObject(outer['metadata'])) return undefined
    const words = Array.isArray(lines) ? lines.join('; ') : 'the answer is not the one of a KV engine'
    throw new ProviderError('failed', `${reading}: 404 at ${path}: ${words}`)
  }
  if (!outer) throw new ProviderError('failed', `${reading}: the answer at ${path} is not the one of a KV engine`)
  if (version === 'v1') return outer
  const inner = outer['data']
  if (inner === null) return undefined
  if (!isObject(inner))
    throw new ProviderError('failed', `${reading}: unexpected JSON at ${path}: is the mount KV version 2?`)
  return inner
}
