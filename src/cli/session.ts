import { systemRandom } from '../lib/random.ts'
import { setting } from '../lib/setting.ts'
import { shownAddress } from '../lib/shown-address.ts'
import { type Query, VaultClient } from '../sdk/client.ts'
import type { Envelope } from '../sdk/envelope.ts'
import type { ConnectSocket } from '../sdk/events.ts'
import { limitRate } from '../sdk/rate-limit.ts'
import type { Transport } from '../sdk/transport.ts'
import { type CliContext, Failure } from './command.ts'
import { addressOf, curlOptions, transportOptions } from './connection.ts'
import { CapturedRequest } from './dry-run/captured-request.ts'
import { curlCommand } from './dry-run/curl-command.ts'
import { samplePolicy } from './dry-run/sample-policy.ts'
import type { FlagSpecs, Flags } from './flags.ts'
import { boolSetting, intSetting, rateSetting } from './settings.ts'
import { openTokenStore, type TokenStore } from './token-store/token-store.ts'

/** Where the server is and who asks; every command that talks to it has these. */
export const connectionFlags: FlagSpecs = {
  address: { kind: 'text', about: 'Address of the server (VAULT_ADDR). Default https://127.0.0.1:8200.' },
  'agent-address': { kind: 'text', about: 'Address of an agent to ask instead (VAULT_AGENT_ADDR).' },
  'ca-cert': { kind: 'text', about: 'File with the CA certificate, PEM (VAULT_CACERT).' },
  'ca-path': { kind: 'text', about: 'Folder of CA certificates, PEM (VAULT_CAPATH).' },
  'client-cert': { kind: 'text', about: 'File with the client certificate, PEM (VAULT_CLIENT_CERT).' },
  'client-key': { kind: 'text', about: 'File with its private key, PEM (VAULT_CLIENT_KEY).' },
  'tls-server-name': { kind: 'text', about: 'Name that the certificate must bear (VAULT_TLS_SERVER_NAME).' },
  'tls-skip-verify': { kind: 'bool', about: 'Do not verify the certificate: for tests only (VAULT_SKIP_VERIFY).' },
  namespace: { kind: 'text', alias: 'ns', about: 'Namespace (VAULT_NAMESPACE).' },
  'disable-redirects': { kind: 'bool', about: 'Follow no redirect (VAULT_DISABLE_REDIRECTS).' },
  mfa: { kind: 'list', about: 'Second factor, method:passcode; may be repeated (VAULT_MFA).' },
  header: { kind: 'map', about: 'Another header, name=value; may be repeated. X-Vault-… are set by the other flags.' },
  'wrap-ttl': { kind: 'duration', about: 'Wrap the answer in a token of this life (VAULT_WRAP_TTL).' },
  'output-curl-string': { kind: 'bool', about: 'Send nothing: print the curl command that would ask the same.' },
  'output-policy': { kind: 'bool', about: 'Send nothing: print the policy that the request needs.' },
  'policy-override': { kind: 'bool', about: 'Ask to pass over soft-mandatory policies; this server has none.' },
  'non-interactive': { kind: 'bool', about: 'Never ask on the terminal: fail instead.' },
}

export const formatFlag: FlagSpecs = {
  format: { kind: 'text', about: 'table, json, yaml or pretty; raw where an answer is read (VAULT_FORMAT).' },
}

export const fieldFlag: FlagSpecs = {
  field: { kind: 'text', about: 'Print only this field, without a newline unless on a terminal.' },
}

export type Format = 'table' | 'json' | 'yaml'

/** One run of the program against one server. The client is made when first asked for. */
export class Session {
  readonly #flags: Flags
  readonly #context: CliContext
  readonly #captured: CapturedRequest | undefined
  #transport: Transport | undefined
  #tokens: TokenStore | undefined

  constructor(flags: Flags, context: CliContext) {
    this.#flags = flags
    const on = (name: string) => flags.declares(name) && flags.on(name)
    this.#captured = on('output-curl-string') || on('output-policy') ? new CapturedRequest() : undefined
    const asks = on('non-interactive') ? { ...context, interactive: false } : context
    this.#context = this.#captured ? muted(asks, this.#captured) : asks
  }

  /** What the command works with: its context, silenced once a request was shown instead of sent. */
  get context(): CliContext {
    return this.#context
  }

  /** For -output-curl-string and -output-policy; `request` is what would have been sent. */
  shown(): { readonly text: string | undefined } | undefined {
    if (!this.#captured) return undefined
    const { request } = this.#captured
    if (!request) return { text: undefined }
    if (this.#flags.on('output-policy')) return { text: samplePolicy(request) }
    return { text: curlCommand(request, curlOptions(this.#flags, this.#context)) }
  }

  address(): string {
    return addressOf(this.#flags, this.#context.env)
  }

  /** `token`: instead of the environment's or the token file's. */
  client(options: { token?: string } = {}): VaultClient {
    const { env, clock } = this.#context
    const namespace = this.namespace()
    const token = options.token ?? this.token()
    return new VaultClient({
      transport: this.#connect(),
      clock,
      address: shownAddress(this.address()).replace(/\/+$/, ''),
      random: systemRandom,
      maxRetries: intSetting(env, 'MAX_RETRIES') ?? 2,
      headers: this.#headers(),
      ...(namespace !== undefined && { namespace }),
      ...(token !== undefined && { token }),
    })
  }

  namespace(): string | undefined {
    return this.#flags.text('namespace') ?? setting(this.#context.env, 'NAMESPACE')?.value
  }

  /** For sys/events/subscribe. */
  connectSocket(): ConnectSocket {
    const { openSocket, env } = this.#context
    if (this.#captured) return this.#captured.instead()
    if (!openSocket) throw new Failure(1, 'this build has no WebSockets')
    return openSocket(transportOptions(this.#flags, env))
  }

  token(): string | undefined {
    return setting(this.#context.env, 'TOKEN')?.value ?? this.tokens().get()
  }

  /** Where the token lies that the environment does not give. */
  tokens(): TokenStore {
    this.#tokens ??= openTokenStore(this.#context.env, this.address())
    return this.#tokens
  }

  /** For each call to the server. */
  callOptions(otherwise?: { readonly wrapTtl?: string }): { wrapTtl?: string; signal: AbortSignal } {
    const wrapTtl = this.#flags.text('wrap-ttl') ?? setting(this.#context.env, 'WRAP_TTL')?.value ?? otherwise?.wrapTtl
    return { signal: this.#context.signal, ...(wrapTtl !== undefined && { wrapTtl }) }
  }

  read(path: string, query?: Query): Promise<Envelope | undefined> {
    return this.client().read(path, query, this.callOptions())
  }

  /** "pretty" is JSON that people read, which all of ours is. Raw is asked for by `raw`. */
  format(): Format {
    const text = this.#formatText()
    if (text === 'table' || text === 'json' || text === 'yaml') return text
    if (text === 'yml') return 'yaml'
    if (text === 'pretty') return 'json'
    if (text === 'raw') return 'table'
    throw new Failure(1, `Invalid output format: ${text} (table, json, yaml, pretty or raw)`)
  }

  /** The body as it came. */
  raw(): boolean {
    return this.#formatText() === 'raw'
  }

  /** For commands that list; they declare the flag. */
  detailed(): boolean {
    if (this.#flags.has('detailed')) return this.#flags.on('detailed')
    return boolSetting(this.#context.env, 'DETAILED') ?? false
  }

  async close(): Promise<void> {
    await this.#transport?.close?.()
  }

  #formatText(): string {
    return (this.#flags.text('format') ?? setting(this.#context.env, 'FORMAT')?.value ?? 'table').toLowerCase()
  }

  #headers(): Record<string, string> {
    const { env } = this.#context
    const factors = this.#flags.has('mfa') ? this.#flags.list('mfa') : (setting(env, 'MFA')?.value.split(',') ?? [])
    const given = this.#flags.map('header')
    const own = Object.keys(given).filter((name) => /^x-vault-/i.test(name))
    if (own.length > 0) {
      const names = own.join(', ')
      throw new Failure(
        2,
        `failed to setup Headers[${names}]: Header starting by 'X-Vault-' are for internal usage only`,
      )
    }
    return {
      ...given,
      ...(factors.length > 0 && { 'X-Vault-MFA': factors.map((one) => one.trim()).join(', ') }),
      ...(this.#flags.on('policy-override') && { 'X-Vault-Policy-Override': 'true' }),
    }
  }

  #connect(): Transport {
    const { env, clock } = this.#context
    const rate = rateSetting(env, 'RATE_LIMIT')
    if (!this.#transport) {
      const direct = this.#context.openTransport(transportOptions(this.#flags, env))
      const kept = this.#captured?.around(direct) ?? direct
      this.#transport = rate ? limitRate(kept, rate, clock) : kept
    }
    return this.#transport
  }
}

const muted = (context: CliContext, captured: CapturedRequest): CliContext => ({
  ...context,
  stdout: captured.until(context.stdout),
  stderr: captured.until(context.stderr),
})
