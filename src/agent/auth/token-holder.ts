import type { Clock } from '../../lib/clock.ts'
import { Sensitive } from '../../lib/sensitive.ts'
import type { AuthInfo } from '../../sdk/envelope.ts'
import { Wakeup } from '../wakeup.ts'

/** What the status says about the token; never the token. */
export interface TokenState {
  readonly state: 'none' | 'valid' | 'rejected'
  readonly accessor?: string
  readonly policies?: readonly string[]
  /** Wall clock, ms. */
  readonly issuedAt?: number
  readonly renewedAt?: number
  /** Undefined: it has no end. */
  readonly expiresAt?: number
  readonly error?: string
}

/** The one token that the agent works with. Whoever is told that it is invalid says so here; the auth loop gets another. */
export class TokenHolder {
  readonly #clock: Clock
  readonly #changed = new Wakeup()
  readonly #rejected = new Wakeup()
  #token: Sensitive | undefined
  #state: TokenState = { state: 'none' }

  constructor(o: { clock: Clock }) {
    this.#clock = o.clock
  }

  get state(): TokenState {
    return this.#state
  }

  get current(): string | undefined {
    return this.#token?.reveal()
  }

  set(auth: AuthInfo) {
    this.#token = new Sensitive(auth.client_token)
    const issuedAt = this.#clock.now()
    this.#state = {
      state: 'valid',
      accessor: auth.accessor,
      policies: auth.policies,
      issuedAt,
      expiresAt: auth.lease_duration > 0 ? issuedAt + auth.lease_duration * 1000 : undefined,
    }
    this.#rejected.clear()
    this.#changed.fire()
  }

  renewed(leaseSeconds: number) {
    const now = this.#clock.now()
    const expiresAt = leaseSeconds > 0 ? now + leaseSeconds * 1000 : undefined
    this.#state = { ...this.#state, renewedAt: now, expiresAt, error: undefined }
  }

  failed(error: string) {
    this.#state = { ...this.#state, error }
  }

  /** The server does not know `token` any more. Nothing happens when another has taken its place meanwhile. */
  reject(token: string) {
    if (this.current !== token) return
    this.#token = undefined
    this.#state = { ...this.#state, state: 'rejected' }
    this.#rejected.fire()
  }

  /** Resolves at the next rejection. */
  rejection(signal: AbortSignal): Promise<void> {
    return this.#rejected.wait(signal)
  }

  async wait(signal: AbortSignal): Promise<string> {
    for (;;) {
      const token = this.current
      if (token !== undefined) return token
      await this.#changed.wait(signal)
    }
  }
}
