import type { Clock } from '../../../lib/clock.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import type { VaultClient } from '../../../sdk/client.ts'
import { watchToken } from '../../../sdk/renewal.ts'
import type { Credential } from './login.ts'

export interface TokenKeeperOptions {
  obtain(signal: AbortSignal): Promise<Credential>
  readonly client: VaultClient
  readonly clock: Clock
  readonly random: RandomBytes
}

interface Held {
  readonly credential: Promise<Credential>
  readonly renewal: AbortController
  /** Once it is there. */
  token: string | undefined
}

/** One token for all users of a session: obtained once, renewed while it can be, obtained again when it ended or was refused. */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions
  readonly #ended = new AbortController()
  #current: Held | undefined
  #latest = ''

  constructor(options: TokenKeeperOptions) {
    this.#options = options
  }

  /** The latest token, without waiting; '' before the first. */
  latest(): string {
    return this.#latest
  }

  /** `justGranted`: a login gave it in this very call, so that the server is known to accept it. */
  async obtain(): Promise<{ token: string; justGranted: boolean }> {
    const before = this.#current
    const held = before ?? this.#start()
    const { token, auth } = await held.credential
    return { token, justGranted: before === undefined && auth !== undefined }
  }

  /** The server refused `token`: whoever asks next gets another. Refusals of older tokens change nothing. */
  refused(token: string): void {
    if (this.#current?.token === token) this.#drop()
  }

  /** Ends renewal and gives back a token that a login made. */
  async close(): Promise<void> {
    const current = this.#current
    this.#drop()
    this.#ended.abort(new Error('the session is closed'))
    const credential = await current?.credential.catch(() => undefined)
    if (!credential?.auth) return
    await this.#options.client.write('auth/token/revoke-self', {}, { token: credential.token }).catch(() => undefined)
  }

  #start(): Held {
    this.#ended.signal.throwIfAborted()
    const renewal = new AbortController()
    const held: Held = { credential: this.#options.obtain(this.#ended.signal), renewal, token: undefined }
    this.#current = held
    held.credential.then(
      (credential) => {
        if (this.#current !== held) return
        held.token = credential.token
        this.#latest = credential.token
        if (credential.auth) void this.#renew(credential.auth, held)
      },
      () => {
        if (this.#current === held) this.#drop()
      },
    )
    return held
  }

  async #renew(auth: NonNullable<Credential['auth']>, held: Held): Promise<void> {
    const { client, clock, random } = this.#options
    try {
      await watchToken({ client, auth, clock, random, signal: held.renewal.signal })
    } catch {
      return
    }
    if (this.#current === held) this.#drop()
  }

  #drop() {
    this.#current?.renewal.abort(new Error('the token is no longer used'))
    this.#current = undefined
  }
}
