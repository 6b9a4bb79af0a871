import type { Clock } from '../../lib/clock.ts'
import { Sensitive } from '../../lib/sensitive.ts'
import { VaultClient } from '../../sdk/client.ts'
import { createNodeTransport } from '../../sdk/node-transport.ts'
import type { Environment } from './environment.ts'
import type { Child, Supervisor } from './supervisor.ts'

/** The server of a run: initialised once with one share, unsealed at each start, audited to a file. */
export class DevServer {
  readonly #options: { readonly environment: Environment; readonly supervisor: Supervisor; readonly clock: Clock }
  #child: Child | undefined
  #unsealKey = new Sensitive('')
  #rootToken = new Sensitive('')

  constructor(options: { environment: Environment; supervisor: Supervisor; clock: Clock }) {
    this.#options = options
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  get rootToken(): Sensitive {
    return this.#rootToken
  }

  client(): VaultClient {
    const { environment, clock } = this.#options
    return new VaultClient({
      transport: createNodeTransport({ address: environment.server.address, caCertPem: environment.caCertPem }),
      token: () => this.#rootToken.reveal() || undefined,
      clock,
    })
  }

  async start(): Promise<void> {
    const { supervisor, environment } = this.#options
    this.#child = await supervisor.start('server', ['server', `-config=${environment.server.configFile}`])
    if (this.#unsealKey.reveal() === '') await this.#initialise()
    await this.client().write('sys/unseal', { key: this.#unsealKey.reveal() })
  }

  async stop(): Promise<void> {
    await this.#child?.stop()
    this.#child = undefined
  }

  async enableAudit(): Promise<void> {
    await this.client().write('sys/audit/file', {
      type: 'file',
      options: { file_path: this.#options.environment.server.auditFile },
    })
  }

  async #initialise(): Promise<void> {
    const answer = await this.client().request({
      method: 'PUT',
      path: 'sys/init',
      body: { secret_shares: 1, secret_threshold: 1 },
    })
    const document: { keys_base64?: string[]; root_token?: string } = JSON.parse(answer.body)
    this.#unsealKey = new Sensitive(document.keys_base64?.[0] ?? '')
    this.#rootToken = new Sensitive(document.root_token ?? '')
  }
}
