/** Asks the cluster: who is this token, which labels has that namespace. */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../../lib/clock.ts'
import type { OutboundAnswer } from '../../../lib/outbound/outbound.ts'
import type { Outbound } from '../../contracts/mounted.ts'
import { Refusal } from '../../contracts/request.ts'
import type { KubernetesConfig } from './config.ts'
import type { ServiceAccount } from './service-account.ts'

/** Reads a file of the service account of the pod that this server runs in; undefined when there is none. */
export type ReadLocal = (file: 'token' | 'ca.crt') => Promise<string | undefined>

export const readPodFile: ReadLocal = (file) =>
  readFile(`/var/run/secrets/kubernetes.io/serviceaccount/${file}`, 'utf8').catch(() => undefined)

const reread = { token: 60_000, 'ca.crt': 3_600_000 } as const
const timeoutMs = 10_000

export class Cluster {
  readonly #outbound: Outbound
  readonly #clock: Clock
  readonly #readLocal: ReadLocal
  readonly #local = new Map<keyof typeof reread, { at: number; text: string | undefined }>()

  constructor(options: { outbound: Outbound; clock: Clock; readLocal: ReadLocal }) {
    this.#outbound = options.outbound
    this.#clock = options.clock
    this.#readLocal = options.readLocal
  }

  /** Files of the pod rotate: they are read anew, the token each minute, the CA each hour. */
  async #localFile(file: keyof typeof reread): Promise<string | undefined> {
    const now = this.#clock.monotonic()
    const known = this.#local.get(file)
    if (known && now - known.at < reread[file]) return known.text
    const text = (await this.#readLocal(file))?.trim()
    this.#local.set(file, { at: now, text: text === '' ? undefined : text })
    return text === '' ? undefined : text
  }

  /** The bearer: the configured reviewer, else this pod's own account, else whoever logs in. */
  async #bearer(config: KubernetesConfig, loginJwt: string): Promise<string> {
    if (config.reviewerJwt !== '') return config.reviewerJwt
    const local = config.disableLocalCaJwt ? undefined : await this.#localFile('token')
    return local ?? loginJwt
  }

  async #ask(
    config: KubernetesConfig,
    loginJwt: string,
    request: { method: string; path: string; body?: string; signal: AbortSignal },
  ): Promise<OutboundAnswer> {
    const ca = config.caCert || (config.disableLocalCaJwt ? undefined : await this.#localFile('ca.crt'))
    const call = {
      url: config.host.replace(/\/+$/, '') + request.path,
      method: request.method,
      headers: {
        authorization: `Bearer ${await this.#bearer(config, loginJwt)}`,
        accept: 'application/json',
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
      },
      timeoutMs,
      signal: request.signal,
      ...(request.body !== undefined && { body: request.body }),
      ...(ca !== undefined && { ca }),
    }
    try {
      const answer = await this.#outbound.request(call).catch((error: unknown) => {
        // Asking twice is harmless, and a kept connection may have been closed meanwhile.
        if (isUnreachable(error)) return this.#outbound.request(call)
        throw error
      })
      if (answer.status < 500 && answer.status !== 429) return answer
      throw new Error(`the API server answered ${answer.status}`)
    } catch (cause) {
      request.signal.throwIfAborted()
      // Not a denial: clients must not forget what they have because the cluster can't be asked just now.
      throw new Refusal(503, 'the Kubernetes API server cannot be asked about the token', { cause })
    }
  }

  /** Refusal 403 unless the cluster says that the token is valid, for the audience, and of just this account. */
  async review(
    config: KubernetesConfig,
    jwt: string,
    account: ServiceAccount,
    audience: string,
    signal: AbortSignal,
  ): Promise<void> {
    const audiences = audience === '' ? account.audiences : [audience]
    const body = JSON.stringify({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: jwt, ...(audiences.length > 0 && { audiences }) },
    })
    const path = '/apis/authentication.k8s.io/v1/tokenreviews'
    const answer = await this.#ask(config, jwt, { method: 'POST', path, body, signal })
    const problem = answer.status < 300 ? reviewProblem(answer.body, account, audience) : refusedText(answer.status)
    if (problem !== undefined) throw new Refusal(403, 'permission denied', { cause: problem })
  }

  /** Undefined when the namespace can't be read. */
  async namespaceLabels(
    config: KubernetesConfig,
    jwt: string,
    namespace: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>> | undefined> {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`
    const answer = await this.#ask(config, jwt, { method: 'GET', path, signal })
    if (answer.status >= 300) return undefined
    const labels = member(member(parse(answer.body), 'metadata'), 'labels')
    const entries = Object.entries(labels ?? {}).filter((e): e is [string, string] => typeof e[1] === 'string')
    return Object.fromEntries(entries)
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof Error && 'kind' in error && error.kind === 'unreachable'
}

function refusedText(status: number): string {
  return `the API server refused the TokenReview with ${status}: does the reviewer have the ClusterRole system:auth-delegator?`
}

/** Why the review does not prove the account; undefined when it does. */
function reviewProblem(body: string, account: ServiceAccount, audience: string): string | undefined {
  const status = member(parse(body), 'status')
  if (!status) return 'the API server answered without a status'
  const error = status['error']
  if (typeof error === 'string' && error !== '') return 'the API server could not judge the token'
  if (status['authenticated'] !== true) return 'the API server does not know the token'
  const user = member(status, 'user') ?? {}
  if (user['username'] !== `system:serviceaccount:${account.namespace}:${account.name}`) {
    return 'the token belongs to another account than it says'
  }
  if (user['uid'] !== account.uid) return 'the token belongs to an account with another uid than it says'
  const audiences = status['audiences']
  if (audience !== '' && !(Array.isArray(audiences) && audiences.includes(audience))) {
    return 'the API server does not confirm the audience'
  }
  return undefined
}

function parse(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

function member(value: Record<string, unknown> | undefined, name: string): Record<string, unknown> | undefined {
  const found = value?.[name]
  return typeof found === 'object' && found !== null ? { ...found } : undefined
}
