/** sys/policies/acl, its older form sys/policy, and what policies permit (sys/capabilities*). */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields } from '../../contracts/fields.ts'
import { type Call, type Operation, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { PolicyStore } from '../../policies/policy-store.ts'
import type { CallerAcl, PresentedTokens } from '../../tokens/presented-tokens.ts'
import type { TokenStore } from '../../tokens/token-store.ts'

export interface PolicyRoutesOptions {
  readonly policies: PolicyStore
  readonly tokens: TokenStore
  readonly presented: PresentedTokens
  /** What these policies permit now. */
  readonly aclOf: (policies: readonly string[]) => Promise<CallerAcl>
}

const writeFields = {
  policy: { kind: 'string', description: 'The rules: HCL, JSON or base64 of either', default: '' },
  rules: { kind: 'string', description: 'The old name of policy', default: '', deprecated: true },
} as const satisfies Fields

const pathFields = {
  path: { kind: 'commaList', description: 'The paths to ask about' },
  paths: { kind: 'commaList', description: 'The paths to ask about' },
} as const satisfies Fields

export function policyRoutes(options: PolicyRoutesOptions): Route[] {
  const { policies } = options
  const remove = operation({
    input: {},
    handle: async (call) => {
      await policies.delete(nameOf(call))
      return { kind: 'none' }
    },
  })
  const write = operation({
    input: writeFields,
    handle: async (call) => {
      const name = nameOf(call)
      const stored = await policies.put(name, call.input.policy || call.input.rules)
      if (stored !== name) call.warn(`policy name was converted to ${stored}`)
      return { kind: 'none' }
    },
  })
  return [
    {
      path: 'policies/acl',
      summary: 'Lists the policies.',
      on: {
        list: operation({ input: {}, handle: async () => ({ kind: 'data', data: { keys: await policies.list() } }) }),
      },
    },
    {
      path: 'policies/acl/{name}',
      summary: 'A policy.',
      on: { read: readPolicy(policies, 'policy'), update: write, delete: remove },
    },
    { path: 'policy', summary: 'Lists the policies.', on: { read: oldList(policies), list: oldList(policies) } },
    {
      path: 'policy/{name}',
      summary: 'A policy, as older clients read it.',
      on: { read: readPolicy(policies, 'rules'), update: write, delete: remove },
    },
    ...capabilityRoutes(options),
  ]
}

const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''

function readPolicy(policies: PolicyStore, member: 'policy' | 'rules'): Operation {
  return operation({
    input: {},
    handle: async (call) => {
      const found = await policies.get(nameOf(call))
      if (!found) return { kind: 'none' }
      return { kind: 'data', data: { name: found.name, [member]: found.text }, topLevel: member === 'rules' }
    },
  })
}

function oldList(policies: PolicyStore): Operation {
  return operation({
    input: {},
    handle: async () => {
      const keys = await policies.list()
      return { kind: 'data', data: { keys, policies: keys }, topLevel: true }
    },
  })
}

function capabilityRoutes(options: PolicyRoutesOptions): Route[] {
  const { tokens, presented, aclOf } = options
  return [
    {
      path: 'capabilities-self',
      summary: 'What the caller may do with paths.',
      on: {
        update: operation({
          input: pathFields,
          effect: 'none',
          handle: async (call) => answer(presented.get(call)?.acl, call.input, 'invalid token'),
        }),
      },
    },
    {
      path: 'capabilities',
      summary: 'What a token may do with paths.',
      on: {
        update: operation({
          input: { ...pathFields, token: { kind: 'string', description: 'The token', default: '' } },
          effect: 'none',
          handle: async (call) => {
            const row = call.input.token === '' ? undefined : await tokens.find(tokens.idOf(call.input.token))
            return answer(row && (await aclOf(row.policies)), call.input, 'invalid token')
          },
        }),
      },
    },
    {
      path: 'capabilities-accessor',
      summary: 'What the token of an accessor may do with paths.',
      on: {
        update: operation({
          input: { ...pathFields, accessor: { kind: 'string', description: 'The accessor', default: '' } },
          effect: 'none',
          handle: async (call) => {
            const found = await tokens.findByAccessor(call.input.accessor)
            return answer(found && (await aclOf(found.row.policies)), call.input, 'invalid accessor')
          },
        }),
      },
    },
  ]
}

function answer(
  acl: CallerAcl | undefined,
  input: { readonly path?: readonly string[]; readonly paths?: readonly string[] },
  otherwise: string,
): Reply {
  const paths = input.paths && input.paths.length > 0 ? input.paths : (input.path ?? [])
  if (paths.length === 0) throw new Refusal(400, 'paths must be supplied')
  if (!acl) throw new Refusal(400, otherwise)
  const data: Record<string, readonly string[]> = Object.create(null)
  for (const path of paths) data[path] = acl.capabilities(path.replace(/^\/+/, ''))
  const only = paths.length === 1 && paths[0] !== undefined ? data[paths[0]] : undefined
  const all: JsonObject = only ? { ...data, capabilities: only } : data
  return { kind: 'data', data: all, topLevel: true }
}
