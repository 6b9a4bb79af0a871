/** sys/quotas: limits of requests and of leases, for the whole cluster. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Operation, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { Quota, QuotaScope, QuotaType } from '../../../quotas/quota-row.ts'
import type { QuotaStore } from '../../../quotas/quota-store.ts'
import { type LocateQuota, scopeOf } from './scope.ts'

export interface QuotaRoutesOptions {
  readonly quotas: QuotaStore
  readonly locateQuota: LocateQuota
}

const scopeFields = {
  path: { kind: 'string', description: 'A namespace, a mount, or a path below one; empty: everything', default: '' },
  role: { kind: 'string', description: 'Only logins with this role of the auth method at path', default: '' },
  inheritable: { kind: 'bool', description: 'For the namespaces below too; only of a namespace' },
  type: { kind: 'string', description: 'As in the path; not needed', default: '' },
} as const satisfies Fields
const rateFields = {
  ...scopeFields,
  rate: { kind: 'float', description: 'Requests of one client address in an interval', default: 0 },
  interval: { kind: 'duration', description: 'Default 1s', default: 0 },
  block_interval: { kind: 'duration', description: 'Refuse a client that went over it for so long', default: 0 },
} as const satisfies Fields
const leaseFields = {
  ...scopeFields,
  max_leases: { kind: 'int', description: 'Leases and login tokens at the same time', default: 0 },
} as const satisfies Fields
const configFields = {
  enable_rate_limit_audit_logging: { kind: 'bool', description: 'Audit refused requests', default: false },
  enable_rate_limit_response_headers: { kind: 'bool', description: 'Say what is left', default: false },
  rate_limit_exempt_paths: { kind: 'commaList', description: 'Paths that no rate limit counts for', default: [] },
} as const satisfies Fields

const nameForm = /^\w(?:[\w.-]*\w)?$/

export function quotaRoutes(options: QuotaRoutesOptions): Route[] {
  const { quotas } = options
  return [
    {
      path: 'quotas/config',
      summary: 'How quotas work.',
      on: { read: readConfig(quotas), update: writeConfig(quotas) },
    },
    { path: 'quotas/rate-limit', summary: 'Lists rate limits.', on: { list: names(quotas, 'rate-limit') } },
    {
      path: 'quotas/rate-limit/{name}',
      summary: 'Limits the requests of each client.',
      on: { read: readRate(quotas), update: writeRate(options), delete: remove(quotas, 'rate-limit') },
    },
    { path: 'quotas/lease-count', summary: 'Lists limits of leases.', on: { list: names(quotas, 'lease-count') } },
    {
      path: 'quotas/lease-count/{name}',
      summary: 'Limits how many leases there are.',
      on: { read: readLeases(quotas), update: writeLeases(options), delete: remove(quotas, 'lease-count') },
    },
  ]
}

function readConfig(quotas: QuotaStore): Operation {
  return operation({
    input: {},
    namespaces: 'root',
    handle: async () => {
      const config = await quotas.config()
      return data({
        enable_rate_limit_audit_logging: config.auditRefusals,
        enable_rate_limit_response_headers: config.responseHeaders,
        rate_limit_exempt_paths: [...config.exemptPaths],
      })
    },
  })
}

/** What is left out is reset, as in Vault: an empty list exempts nothing. */
function writeConfig(quotas: QuotaStore): Operation {
  return operation({
    input: configFields,
    namespaces: 'root',
    handle: async ({ input }) => {
      await quotas.setConfig({
        format: 1,
        auditRefusals: input.enable_rate_limit_audit_logging,
        responseHeaders: input.enable_rate_limit_response_headers,
        exemptPaths: input.rate_limit_exempt_paths.filter((path) => path !== ''),
      })
      return { kind: 'none' }
    },
  })
}

const names = (quotas: QuotaStore, type: QuotaType): Operation =>
  operation({
    input: {},
    namespaces: 'root',
    handle: async () => data({ keys: await quotas.names(type) }),
  })

const remove = (quotas: QuotaStore, type: QuotaType): Operation =>
  operation({
    input: {},
    namespaces: 'root',
    handle: async ({ params }) => {
      await quotas.delete(type, nameIn(params))
      return { kind: 'none' }
    },
  })

function readRate(quotas: QuotaStore): Operation {
  return operation({
    input: {},
    namespaces: 'root',
    handle: async ({ params }) => {
      const quota = await quotas.rateLimit(nameIn(params))
      if (!quota) return { kind: 'none' }
      return data({
        ...shown(quota, 'rate-limit'),
        rate: quota.rate,
        interval: Math.floor(quota.intervalMs / 1000),
        block_interval: Math.floor(quota.blockMs / 1000),
      })
    },
  })
}

function writeRate({ quotas, locateQuota }: QuotaRoutesOptions): Operation {
  return operation({
    input: rateFields,
    namespaces: 'root',
    handle: async ({ params, input }) => {
      const name = nameIn(params)
      if (!(input.rate > 0)) throw new Refusal(400, "'rate' is invalid")
      const scope = await checkedScope(input, locateQuota, 'rate-limit')
      const intervalMs = input.interval || 1000
      const quota = { format: 1, name, ...scope, rate: input.rate, intervalMs, blockMs: input.block_interval } as const
      await quotas.put('rate-limit', quota)
      return { kind: 'none' }
    },
  })
}

function readLeases(quotas: QuotaStore): Operation {
  return operation({
    input: {},
    namespaces: 'root',
    handle: async ({ params }) => {
      const quota = await quotas.leaseCount(nameIn(params))
      return quota ? data({ ...shown(quota, 'lease-count'), max_leases: quota.maxLeases }) : { kind: 'none' }
    },
  })
}

function writeLeases({ quotas, locateQuota }: QuotaRoutesOptions): Operation {
  return operation({
    input: leaseFields,
    namespaces: 'root',
    handle: async ({ params, input }) => {
      const name = nameIn(params)
      if (input.max_leases < 1) throw new Refusal(400, "'max_leases' is invalid: it must be 1 or more")
      if (input.role !== '') {
        throw new Refusal(
          400,
          "'role' is not supported by lease-count quotas: leave it out, or limit the auth mount's path",
        )
      }
      const scope = await checkedScope(input, locateQuota, 'lease-count')
      if (scope.mount.startsWith('auth/') && scope.suffix !== '') {
        throw new Refusal(
          400,
          `a lease-count quota of an auth method is for all of ${JSON.stringify(scope.mount)}: leave out "${scope.suffix}"`,
        )
      }
      await quotas.put('lease-count', { format: 1, name, ...scope, maxLeases: input.max_leases })
      return { kind: 'none' }
    },
  })
}

function checkedScope(input: InputOf<typeof scopeFields>, locate: LocateQuota, type: QuotaType): Promise<QuotaScope> {
  if (input.type !== '' && input.type !== type) {
    throw new Refusal(400, `'type' is invalid: it is ${JSON.stringify(input.type)}, and here only "${type}"`)
  }
  return scopeOf(input, locate)
}

/** As Vault's paths: other names are no path of this API. */
function nameIn(params: Readonly<Record<string, string>>): string {
  const name = params['name'] ?? ''
  if (!nameForm.test(name) || name.length > 256) {
    throw new Refusal(404, '1 error occurred:\n\t* unsupported path\n\n')
  }
  return name
}

const shown = (quota: Quota, type: QuotaType): JsonObject => ({
  inheritable: quota.inheritable,
  name: quota.name,
  path: `${quota.namespace}${quota.mount}${quota.suffix}`,
  role: quota.role,
  type,
})

const data = (members: JsonObject): Reply => ({ kind: 'data', data: members })
