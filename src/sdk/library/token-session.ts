import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { VaultClient } from '../client.ts'
import type { AuthInfo } from '../envelope.ts'
import { watchToken } from '../renewal.ts'
import type { Login } from './logins.ts'

export interface TokenSessionOptions {
  readonly client: VaultClient
  readonly login: Login
  readonly clock: Clock
  readonly random: RandomBytes
  /** A renewal failed; it is tried again in so many milliseconds. */
  onRenewalError?(error: unknown, retryMs: number): void
}

interface Held {
  readonly granted: Promise<AuthInfo>
  readonly renewal: AbortController
  /** Once it is there. */
  token: string | undefined
}

const firstPauseMs = 500
const longestPauseMs = 30_000

/**
 * One token for all calls of a program: got by one login however many wait, renewed in the background at two thirds of
 * its life, got again when it has ended or was refused. After a failed login its error answers for a growing, jittered
 * while, so that a program in a loop does not storm the server.
 */
export class TokenSession {
  readonly #options: TokenSessionOptions
  readonly #clock: Clock
  readonly #ended = new AbortController()
  #held: Held | undefined
  #failure: { readonly error: unknown; readonly until: number } | undefined
  #failures = 0

  constructor(options: TokenSessionOptions) {
    this.#options = options
    this.#clock = unhurried(options.clock)
  }

  /** `fresh`: this very call began the login, so that the server is known to accept the token. */
  async token(signal?: AbortSignal): Promise<{ readonly token: string; readonly fresh: boolean }> {
    signal?.throwIfAborted()
    this.#ended.signal.throwIfAborted()
    const before = this.#held
    if (!before && this.#failure && this.#clock.monotonic() < this.#failure.until) throw this.#failure.error
    const held = before ?? this.#start()
    const auth = await orAborted(held.granted, signal)
    return { token: auth.client_token, fresh: before === undefined }
  }

  /** The server no longer knows `token`: whoever asks next gets another. Refusals of older tokens change nothing. */
  refused(token: string): void {
    if (this.#held?.token === token) this.#drop()
  }

  /** Ends renewal; a token that a login made is revoked. */
  async close(): Promise<void> {
    const held = this.#held
    this.#drop()
    this.#ended.abort(new Error('the client is closed'))
    if (this.#options.login.keeps) return
    const auth = await held?.granted.catch(() => undefined)
    if (!auth) return
    await this.#options.client.write('auth/token/revoke-self', {}, { token: auth.client_token }).catch(() => undefined)
  }

  #start(): Held {
    const { client, login } = this.#options
    const held: Held = { granted: login(client, this.#ended.signal), renewal: new AbortController(), token: undefined }
    this.#held = held
    held.granted.then(
      (auth) => this.#granted(held, auth),
      (error: unknown) => this.#failed(held, error),
    )
    return held
  }

  #granted(held: Held, auth: AuthInfo) {
    this.#failures = 0
    this.#failure = undefined
    if (this.#held !== held) return
    held.token = auth.client_token
    void this.#renew(held, auth)
  }

  #failed(held: Held, error: unknown) {
    const chance = (this.#options.random(1)[0] ?? 0) / 256
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures) * (0.5 + chance / 2)
    this.#failures = Math.min(this.#failures + 1, 16)
    this.#failure = { error, until: this.#clock.monotonic() + pauseMs }
    if (this.#held === held) this.#drop()
  }

  async #renew(held: Held, auth: AuthInfo): Promise<void> {
    const { client, random, onRenewalError } = this.#options
    const { signal } = held.renewal
    try {
      const onError = (error: unknown, retryMs: number) => onRenewalError?.(error, retryMs)
      await watchToken({ client, auth, clock: this.#clock, random, signal, onError })
    } catch {
      // Closed, or dropped for another token.
      return
    }
    if (this.#held === held) this.#drop()
  }

  #drop() {
    this.#held?.renewal.abort(new Error('the token is no longer used'))
    this.#held = undefined
  }
}

/** The same time, but waiting for it keeps no process alive: a program may end without closing its client. */
function unhurried(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (ms, fn) => clock.after(ms, fn),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const onAbort = () => {
          cancel()
          reject(signal?.reason)
        }
        const cancel = clock.after(ms, () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        })
        signal?.addEventListener('abort', onAbort, { once: true })
      }),
  }
}

/** The result, or the signal's reason at once; the work goes on for the others. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
