/** Each part's own way into somebody's cluster: a service account, its token in a file that is kept fresh, a kubeconfig. */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeClient } from '../../../kube/client.ts'
import type { KubeConfig } from '../../../kube/kubeconfig.ts'
import { serviceAccounts, type TokenRequest } from '../../../kube/object-types.ts'
import type { Clock } from '../../../lib/clock.ts'

export interface IdentitiesOptions {
  readonly kube: KubeClient
  readonly config: KubeConfig
  readonly namespace: string
  readonly dir: string
  readonly clock: Clock
  /** A token could not be made anew; it is tried again. */
  onProblem(message: string): void
}

const tokenSeconds = 86_400
const retryMs = 60_000

export class Identities {
  readonly #options: IdentitiesOptions
  readonly #cancel = new Map<string, () => void>()
  #closed = false

  constructor(options: IdentitiesOptions) {
    this.#options = options
  }

  /** The kubeconfig of a service account that exists. */
  async kubeconfigOf(account: string): Promise<string> {
    const { config, namespace, dir } = this.#options
    const tokenFile = join(dir, `${account}.token`)
    await this.#renew(account, tokenFile)
    const path = join(dir, `${account}.kubeconfig`)
    const cluster = {
      server: config.server,
      ...(config.caPem ? { 'certificate-authority-data': Buffer.from(config.caPem).toString('base64') } : {}),
      ...(config.serverName ? { 'tls-server-name': config.serverName } : {}),
    }
    const document = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'cluster', cluster }],
      users: [{ name: account, user: { tokenFile } }],
      contexts: [{ name: account, context: { cluster: 'cluster', user: account, namespace } }],
      'current-context': account,
    }
    await writeFile(path, JSON.stringify(document), { mode: 0o600 })
    return path
  }

  close(): void {
    this.#closed = true
    for (const cancel of this.#cancel.values()) cancel()
  }

  /** Again at half of the life that the API server gave it, which may be shorter than asked. */
  async #renew(account: string, file: string): Promise<void> {
    const { kube, namespace, clock } = this.#options
    const answer = await kube.post<TokenRequest>(serviceAccounts, { namespace, name: account }, 'token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { audiences: [], expirationSeconds: tokenSeconds },
    })
    await writeFile(`${file}.new`, answer.status?.token ?? '', { mode: 0o600 })
    await rename(`${file}.new`, file)
    const lifeMs = Date.parse(String(answer.status?.expirationTimestamp)) - clock.now()
    this.#renewIn(account, file, Math.max(retryMs, lifeMs / 2))
  }

  #renewIn(account: string, file: string, ms: number): void {
    if (this.#closed) return
    const again = () => {
      this.#renew(account, file).catch((error: unknown) => {
        const why = error instanceof Error ? error.message : String(error)
        this.#options.onProblem(`no new token for ${account}: ${why}`)
        this.#renewIn(account, file, retryMs)
      })
    }
    this.#cancel.set(account, this.#options.clock.after(ms, again))
  }
}
