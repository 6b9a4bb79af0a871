import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pemText } from '../lib/pem-text.ts'
import { setting } from '../lib/setting.ts'
import { type Query, VaultClient } from '../sdk/client.ts'
import type { Envelope } from '../sdk/envelope.ts'
import { type NodeTransportOptions, readPem } from '../sdk/node-transport.ts'
import type { Transport } from '../sdk/transport.ts'
import { type CliContext, Failure } from './command.ts'
import type { FlagSpecs, Flags } from './flags.ts'
import { boolSetting, durationSetting, intSetting } from './settings.ts'
import { readTokenFile } from './token-file.ts'

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
  header: { kind: 'map', about: 'Another header, name=value; may be repeated.' },
  'wrap-ttl': { kind: 'duration', about: 'Wrap the answer in a token of this life (VAULT_WRAP_TTL).' },
}

export const formatFlag: FlagSpecs = {
  format: { kind: 'text', about: 'table, json or yaml (VAULT_FORMAT).' },
}

export const fieldFlag: FlagSpecs = {
  field: { kind: 'text', about: 'Print only this field, without a newline unless on a terminal.' },
}

export type Format = 'table' | 'json' | 'yaml'

/** One run of the program against one server. The client is made when first asked for. */
export class Session {
  readonly #flags: Flags
  readonly #context: CliContext
  #transport: Transport | undefined

  constructor(flags: Flags, context: CliContext) {
    this.#flags = flags
    this.#context = context
  }

  address(): string {
    const { env } = this.#context
    return (
      this.#flags.text('agent-address') ??
      setting(env, 'AGENT_ADDR')?.value ??
      this.#flags.text('address') ??
      setting(env, 'ADDR')?.value ??
      'https://127.0.0.1:8200'
    )
  }

  /** `token`: instead of the environment's or the token file's. */
  client(options: { token?: string } = {}): VaultClient {
    const { env, clock } = this.#context
    const namespace = this.#flags.text('namespace') ?? setting(env, 'NAMESPACE')?.value
    const token = options.token ?? this.token()
    return new VaultClient({
      transport: this.#connect(),
      clock,
      address: this.address().replace(/\/+$/, ''),
      maxRetries: intSetting(env, 'MAX_RETRIES') ?? 2,
      headers: this.#flags.map('header'),
      ...(namespace !== undefined && { namespace }),
      ...(token !== undefined && { token }),
    })
  }

  token(): string | undefined {
    const { env } = this.#context
    return setting(env, 'TOKEN')?.value ?? readTokenFile(env)
  }

  /** For each call to the server. */
  callOptions(): { wrapTtl?: string; signal: AbortSignal } {
    const wrapTtl = this.#flags.text('wrap-ttl') ?? setting(this.#context.env, 'WRAP_TTL')?.value
    return { signal: this.#context.signal, ...(wrapTtl !== undefined && { wrapTtl }) }
  }

  read(path: string, query?: Query): Promise<Envelope | undefined> {
    return this.client().read(path, query, this.callOptions())
  }

  format(): Format {
    const text = (this.#flags.text('format') ?? setting(this.#context.env, 'FORMAT')?.value ?? 'table').toLowerCase()
    if (text === 'table' || text === 'json' || text === 'yaml') return text
    if (text === 'yml') return 'yaml'
    throw new Failure(1, `Invalid output format: ${text} (table, json or yaml)`)
  }

  async close(): Promise<void> {
    await this.#transport?.close?.()
  }

  #connect(): Transport {
    this.#transport ??= this.#context.openTransport(this.#transportOptions())
    return this.#transport
  }

  #transportOptions(): NodeTransportOptions {
    const { env } = this.#context
    const clientCert = this.#flags.text('client-cert') ?? setting(env, 'CLIENT_CERT')?.value
    const clientKey = this.#flags.text('client-key') ?? setting(env, 'CLIENT_KEY')?.value
    const serverName = this.#flags.text('tls-server-name') ?? setting(env, 'TLS_SERVER_NAME')?.value
    const ca = this.#certificateAuthorities()
    const skipFlag = this.#flags.has('tls-skip-verify') ? this.#flags.on('tls-skip-verify') : undefined
    return {
      address: this.address(),
      skipVerify: skipFlag ?? boolSetting(env, 'SKIP_VERIFY') ?? false,
      timeoutMs: durationSetting(env, 'CLIENT_TIMEOUT') || 60_000,
      ...(ca !== undefined && { caCertPem: ca }),
      ...(clientCert !== undefined && { clientCert: readPem(clientCert) }),
      ...(clientKey !== undefined && { clientKey: readPem(clientKey) }),
      ...(serverName !== undefined && { tlsServerName: serverName }),
    }
  }

  #certificateAuthorities(): string | undefined {
    const { env } = this.#context
    const bytes = setting(env, 'CACERT_BYTES')?.value
    if (bytes !== undefined && !this.#flags.has('ca-cert')) return pemText(bytes)
    const file = this.#flags.text('ca-cert') ?? setting(env, 'CACERT')?.value
    if (file !== undefined) return readPem(file)
    const folder = this.#flags.text('ca-path') ?? setting(env, 'CAPATH')?.value
    return folder === undefined ? undefined : readFolder(folder)
  }
}

function readFolder(folder: string): string {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => readFileSync(join(folder, entry.name), 'utf8'))
      .filter((content) => content.includes('-----BEGIN CERTIFICATE-----'))
      .join('\n')
  } catch (cause) {
    throw new Failure(1, `cannot read the certificates in ${folder}`, { cause })
  }
}
