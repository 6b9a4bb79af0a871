/** Quotas as storage keeps them, below ns/root/quotas/: one set for the whole cluster. */
import * as z from 'zod'

export type QuotaType = 'rate-limit' | 'lease-count'

/** What a quota is about: '' where it is not that narrow. */
export interface QuotaScope {
  /** A namespace's path: '' for root, else with its trailing slash. */
  readonly namespace: string
  /** A mount's path below the namespace, with its trailing slash. */
  readonly mount: string
  /** Below the mount, without slashes around it; a "*" at its end stands for anything. */
  readonly suffix: string
  readonly role: string
  /** A namespace's quota counts for those below it too, unless they have one of their own. */
  readonly inheritable: boolean
}

interface Named extends QuotaScope {
  readonly format: 1
  readonly name: string
}
export interface RateLimit extends Named {
  /** Requests of one client address in an interval. */
  readonly rate: number
  readonly intervalMs: number
  /** How long a client that went over it is refused; 0: until the interval ends. */
  readonly blockMs: number
}
export interface LeaseCountLimit extends Named {
  readonly maxLeases: number
}
export type Quota = RateLimit | LeaseCountLimit

const named = {
  format: z.literal(1),
  name: z.string(),
  namespace: z.string(),
  mount: z.string(),
  suffix: z.string(),
  role: z.string(),
  inheritable: z.boolean(),
}
export const rateLimitSchema: z.ZodType<RateLimit> = z.looseObject({
  ...named,
  rate: z.number(),
  intervalMs: z.number(),
  blockMs: z.number(),
})
export const leaseCountSchema: z.ZodType<LeaseCountLimit> = z.looseObject({ ...named, maxLeases: z.number() })

export interface QuotaConfig {
  readonly format: 1
  /** Refusals get their lines in the audit too. */
  readonly auditRefusals: boolean
  /** Answers say how much of the limit is left. */
  readonly responseHeaders: boolean
  /** Namespace included; a "*" at the end stands for anything. */
  readonly exemptPaths: readonly string[]
}

export const quotaConfigSchema: z.ZodType<QuotaConfig> = z.looseObject({
  format: z.literal(1),
  auditRefusals: z.boolean(),
  responseHeaders: z.boolean(),
  exemptPaths: z.array(z.string()),
})

/** What somebody needs who has to help a server that is overrun. */
export const defaultQuotaConfig: QuotaConfig = {
  format: 1,
  auditRefusals: false,
  responseHeaders: false,
  exemptPaths: [
    'sys/generate-recovery-token/attempt',
    'sys/generate-recovery-token/update',
    'sys/generate-root/attempt',
    'sys/generate-root/update',
    'sys/health',
    'sys/seal-status',
    'sys/unseal',
  ],
}
