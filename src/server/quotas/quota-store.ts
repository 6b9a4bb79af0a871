/** Quotas of the whole cluster: their rows, and what they say about each request. */
import { createHash } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import { base62, type RandomBytes } from '../../lib/random.ts'
import type { Admission, AdmissionHeaders, Arrival } from '../contracts/access/admission.ts'
import { rootNamespace } from '../contracts/epochs.ts'
import { Refusal } from '../contracts/request.ts'
import type { Rows, Schema, SecretStorage, Tx } from '../contracts/secret-storage.ts'
import { isExempt } from './exempt-paths.ts'
import { QuotaIndex, scopeKey } from './quota-index.ts'
import {
  defaultQuotaConfig,
  type LeaseCountLimit,
  leaseCountSchema,
  type Quota,
  type QuotaConfig,
  type QuotaType,
  quotaConfigSchema,
  type RateLimit,
  rateLimitSchema,
} from './quota-row.ts'
import { type Limiter, RateLimiter, type Taken } from './rate-limiter.ts'

export interface QuotaStoreOptions {
  readonly rows: Rows
  readonly clock: Clock
  readonly random: RandomBytes
  /** Called for each request that is refused. */
  readonly violated?: () => void
  /** Default: one of this process. */
  readonly limiter?: Limiter
}

const anyQuota: Schema<Quota> = {
  parse: (value) =>
    typeof value === 'object' && value !== null && 'rate' in value
      ? rateLimitSchema.parse(value)
      : leaseCountSchema.parse(value),
}
const ownerSchema: Schema<string> = {
  parse: (value) => (typeof value === 'object' && value !== null && 'name' in value ? String(value.name) : ''),
}

const epoch = 'epoch/audit'

export class QuotaStore implements Admission {
  readonly #options: QuotaStoreOptions
  readonly #root: SecretStorage
  readonly #view: SecretStorage
  readonly #limiter: Limiter
  #revision = 0
  #rules = ''
  #version = ''
  #config = defaultQuotaConfig
  #rates = new QuotaIndex<RateLimit>([])
  #counts = new QuotaIndex<LeaseCountLimit>([])

  constructor(options: QuotaStoreOptions) {
    this.#options = options
    this.#root = options.rows.view(`ns/${rootNamespace.id}/`)
    this.#view = this.#root.at('quotas/')
    this.#limiter = options.limiter ?? new RateLimiter()
  }

  /** Refused requests are to be in the audit. */
  get auditRefusals(): boolean {
    return this.#config.auditRefusals
  }

  get leaseCounts(): QuotaIndex<LeaseCountLimit> {
    return this.#counts
  }

  get revision(): number {
    return this.#revision
  }

  wantsRole(namespacePath: string, mountPath: string): boolean {
    return this.#rates.hasRoles(namespacePath, mountPath)
  }

  admit(arrival: Arrival): AdmissionHeaders | Promise<AdmissionHeaders> {
    const quota = this.#rates.find(arrival)
    if (!quota || isExempt(this.#config.exemptPaths, `${arrival.namespacePath}${arrival.path}`)) return undefined
    const taken = this.#limiter.take(quota, arrival.remoteAddress, this.#options.clock.monotonic())
    return taken instanceof Promise ? taken.then((known) => this.#judge(known, arrival)) : this.#judge(taken, arrival)
  }

  #judge(taken: Taken, arrival: Arrival): AdmissionHeaders {
    const headers = this.#config.responseHeaders && !taken.blocked ? headersOf(taken) : undefined
    if (taken.allowed) return headers
    this.#options.violated?.()
    throw new Refusal(429, `request path ${JSON.stringify(arrival.path)}: rate limit quota exceeded`, {
      headers: { ...headers, 'Retry-After': seconds(taken.resetMs) },
    })
  }

  async changed(version: string): Promise<void> {
    if (version === this.#version) return
    await this.#read()
    this.#version = version
  }

  async renew(): Promise<boolean> {
    const revision = this.#revision
    const [row] = await this.#options.rows.read([{ key: `${this.#root.prefix}${epoch}`, known: this.#version }])
    if (row !== 'same') await this.changed(row?.version ?? '')
    return this.#revision !== revision
  }

  async #read(): Promise<void> {
    const config = await this.config()
    const rates = new QuotaIndex(await this.#load('rate-limit', rateLimitSchema))
    const counts = new QuotaIndex(await this.#load('lease-count', leaseCountSchema))
    this.#config = config
    this.#rates = rates
    this.#counts = counts
    const rules = JSON.stringify([config, rates.quotas, counts.quotas])
    if (rules !== this.#rules) this.#revision += 1
    this.#rules = rules
  }

  /** Called when the server seals. */
  forget(): void {
    this.#version = ''
    this.#rules = ''
    this.#config = defaultQuotaConfig
    this.#rates = new QuotaIndex<RateLimit>([])
    this.#counts = new QuotaIndex<LeaseCountLimit>([])
    this.#limiter.forget()
  }

  async config(): Promise<QuotaConfig> {
    return (await this.#view.get('config', quotaConfigSchema)) ?? defaultQuotaConfig
  }

  setConfig(config: QuotaConfig): Promise<void> {
    return this.#change(async (tx) => tx.put(this.#view, 'config', { ...config, exemptPaths: [...config.exemptPaths] }))
  }

  rateLimit(name: string): Promise<RateLimit | undefined> {
    return this.#view.get(`rate-limit/${name}`, rateLimitSchema)
  }

  leaseCount(name: string): Promise<LeaseCountLimit | undefined> {
    return this.#view.get(`lease-count/${name}`, leaseCountSchema)
  }

  async names(type: QuotaType): Promise<string[]> {
    const names: string[] = []
    for (;;) {
      const page = await this.#view.list(`${type}/`, { depth: 'all', after: names.at(-1), limit: 1000 })
      names.push(...page)
      if (page.length < 1000) return names
    }
  }

  /** Refuses (400) a second quota about the same requests. */
  put(type: QuotaType, quota: Quota): Promise<void> {
    return this.#change(async (tx) => {
      const owner = ownerKey(type, quota)
      const taken = await tx.get(this.#view, owner, ownerSchema)
      if (taken !== undefined && taken !== quota.name) {
        throw new Refusal(400, `quota rule with similar properties exists under the name ${JSON.stringify(taken)}`)
      }
      const before = await tx.get(this.#view, `${type}/${quota.name}`, anyQuota)
      if (before && ownerKey(type, before) !== owner) tx.remove(this.#view, ownerKey(type, before))
      tx.put(this.#view, owner, { name: quota.name })
      tx.put(this.#view, `${type}/${quota.name}`, { ...quota })
    })
  }

  /** Nothing happens when there is none. */
  async delete(type: QuotaType, name: string): Promise<void> {
    const key = `${type}/${name}`
    if (!(await this.#view.get(key, anyQuota))) return
    await this.#change(async (tx) => {
      const before = await tx.get(this.#view, key, anyQuota)
      if (!before) return
      tx.remove(this.#view, key)
      tx.remove(this.#view, ownerKey(type, before))
    })
  }

  async #load<Q extends Quota>(type: QuotaType, schema: Schema<Q>): Promise<Q[]> {
    const found: Q[] = []
    for (const name of await this.names(type)) {
      const quota = await this.#view.get(`${type}/${name}`, schema)
      if (quota) found.push(quota)
    }
    return found
  }

  async #change(run: (tx: Tx) => Promise<void>): Promise<void> {
    await this.#view.transaction(async (tx) => {
      await run(tx)
      // It stands for quotas too: every node reads its version with its next request.
      tx.put(this.#root, epoch, { at: base62(this.#options.random, 16) })
    })
    // Requests are admitted before that version is read: here the change counts from the next one on.
    await this.#read()
  }
}

/** Unique by what the quota is about; hashed, for paths and roles may be long. */
const ownerKey = (type: QuotaType, quota: Quota) =>
  `by/${type}/${createHash('sha256').update(scopeKey(quota)).digest('hex')}`

const seconds = (ms: number) => String(Math.max(1, Math.ceil(ms / 1000)))

const headersOf = ({ limit, left, resetMs }: Taken) => ({
  'X-Ratelimit-Limit': String(limit),
  'X-Ratelimit-Remaining': String(left),
  'X-Ratelimit-Reset': seconds(resetMs),
})
