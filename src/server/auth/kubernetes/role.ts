import type { JsonObject } from '../../../lib/json/value.ts'
import {
  changeRoleTokens,
  defaultRoleTokens,
  type RoleTokens,
  readRoleTokens,
  roleTokenFields,
  roleTokensAnswer,
} from '../../contracts/access/role-tokens.ts'
import { type Call, operation, Refusal, type Route } from '../../contracts/request.ts'
import { parseSelector } from './namespace-selector.ts'

export const aliasSources = ['serviceaccount_uid', 'serviceaccount_name'] as const
export type AliasSource = (typeof aliasSources)[number]

export interface KubernetesRole {
  /** Names of service accounts, `*` inside as a glob. */
  readonly names: readonly string[]
  readonly namespaces: readonly string[]
  /** A LabelSelector as JSON or YAML, or empty. A namespace is right when the list or the selector says so. */
  readonly namespaceSelector: string
  /** Empty: whatever the token says. */
  readonly audience: string
  readonly aliasSource: AliasSource
  readonly tokens: RoleTokens
}

export const roleKey = (name: string) => `role/${name.toLowerCase()}`

export const roleSchema = {
  parse(value: unknown): KubernetesRole {
    const row: Partial<KubernetesRole> = typeof value === 'object' && value !== null ? value : {}
    if (!Array.isArray(row.names)) throw new Error('not a role of the Kubernetes auth method')
    const { names, namespaces = [], namespaceSelector = '', audience = '', aliasSource = 'serviceaccount_uid' } = row
    return { names, namespaces, namespaceSelector, audience, aliasSource, tokens: readRoleTokens(row.tokens) }
  },
}

const fields = {
  bound_service_account_names: { kind: 'commaList', description: 'Service accounts that may log in; globs allowed.' },
  bound_service_account_namespaces: { kind: 'commaList', description: 'Their namespaces; globs allowed.' },
  bound_service_account_namespace_selector: {
    kind: 'string',
    description: 'A label selector for namespaces, as JSON or YAML. Either it or the list must match.',
  },
  audience: { kind: 'string', description: 'The audience that tokens must be made for.' },
  alias_name_source: { kind: 'string', description: 'serviceaccount_uid (default) or serviceaccount_name.' },
  ...roleTokenFields,
} as const

const newRole: KubernetesRole = {
  names: [],
  namespaces: [],
  namespaceSelector: '',
  audience: '',
  aliasSource: 'serviceaccount_uid',
  tokens: defaultRoleTokens,
}

function checkNames(role: KubernetesRole): void {
  if (role.names.length === 0) throw new Refusal(400, '"bound_service_account_names" can not be empty')
  if (role.namespaces.length === 0 && role.namespaceSelector === '') {
    throw new Refusal(
      400,
      '"bound_service_account_namespaces" can not be empty if "bound_service_account_namespace_selector" is not set',
    )
  }
  for (const list of [role.names, role.namespaces]) {
    if (list.length > 1 && list.includes('*')) throw new Refusal(400, 'can not mix "*" with values')
  }
}

function readAliasSource(text: string): AliasSource {
  const found = aliasSources.find((source) => source === text)
  if (found) return found
  throw new Refusal(
    400,
    `invalid alias_name_source ${JSON.stringify(text)}, must be one of: ${aliasSources.join(', ')}`,
  )
}

const nameOf = (call: Pick<Call, 'params'>) => call.params['name'] ?? ''

function roleAnswer(role: KubernetesRole): JsonObject {
  return {
    alias_name_source: role.aliasSource,
    ...(role.audience !== '' && { audience: role.audience }),
    bound_service_account_names: role.names,
    bound_service_account_namespace_selector: role.namespaceSelector,
    bound_service_account_namespaces: role.namespaces,
    ...roleTokensAnswer(role.tokens),
  }
}

const roleRoute: Route = {
  path: 'role/{name}',
  summary: 'Which service accounts get which tokens.',
  exists: async (call) => (await call.storage.getBytes(roleKey(nameOf(call)))) !== undefined,
  on: {
    read: operation({
      input: {},
      async handle(call) {
        const role = await call.storage.get(roleKey(nameOf(call)), roleSchema)
        return role ? { kind: 'data', data: roleAnswer(role) } : { kind: 'none' }
      },
    }),
    update: operation({
      input: fields,
      async handle(call) {
        const { input } = call
        const selector = input.bound_service_account_namespace_selector
        if (selector) await parseSelector(selector)
        await call.transaction(async (tx) => {
          const before = (await tx.get(call.storage, roleKey(nameOf(call)), roleSchema)) ?? newRole
          const role: KubernetesRole = {
            names: input.bound_service_account_names ?? before.names,
            namespaces: input.bound_service_account_namespaces ?? before.namespaces,
            namespaceSelector: selector ?? before.namespaceSelector,
            audience: input.audience ?? before.audience,
            aliasSource:
              input.alias_name_source === undefined ? before.aliasSource : readAliasSource(input.alias_name_source),
            tokens: changeRoleTokens(before.tokens, input),
          }
          checkNames(role)
          tx.put(call.storage, roleKey(nameOf(call)), { ...role, tokens: { ...role.tokens } })
        })
        return { kind: 'none' }
      },
    }),
    delete: operation({
      input: {},
      async handle(call) {
        await call.transaction(async (tx) => tx.remove(call.storage, roleKey(nameOf(call))))
        return { kind: 'none' }
      },
    }),
  },
}

const pageSize = 1000

const rolesRoute: Route = {
  path: 'role',
  summary: 'The names of all roles.',
  on: {
    list: operation({
      input: {},
      async handle(call) {
        const keys: string[] = []
        for (;;) {
          const after = keys.at(-1)
          const page = await call.storage.list(roleKey(''), {
            depth: 'all',
            limit: pageSize,
            ...(after !== undefined && { after }),
          })
          keys.push(...page)
          if (page.length < pageSize) return keys.length > 0 ? { kind: 'data', data: { keys } } : { kind: 'none' }
        }
      },
    }),
  },
}

export const roleRoutes: readonly Route[] = [roleRoute, rolesRoute]
