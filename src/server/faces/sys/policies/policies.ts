/** sys/policies/acl, its older form sys/policy, and the rest of what sys/ says about policies. */
import { formatGoTime } from '../../../../lib/go-time.ts'
import { compareUtf8 } from '../../../../lib/json/stringify.ts'
import type { Json, JsonObject } from '../../../../lib/json/value.ts'
import type { RandomBytes } from '../../../../lib/random.ts'
import type { Fields, InputOf } from '../../../contracts/fields.ts'
import { type Call, type Operation, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import { parseAbsoluteTime } from '../../../policies/parse-policy.ts'
import { PasswordPolicies } from '../../../policies/passwords/password-policies.ts'
import type { PolicyDocument, PolicyPatch, PolicyStore } from '../../../policies/policy-store.ts'
import { type CapabilityRoutesOptions, capabilityRoutes } from './capabilities.ts'
import { type ExplainRoutesOptions, explainRoutes } from './explain.ts'
import { passwordPolicyRoutes } from './password-policies.ts'
import { resultantAclRoutes } from './resultant-acl.ts'
import { Subjects, type SubjectsOptions } from './subjects.ts'

export interface PolicyRoutesOptions
  extends SubjectsOptions,
    Omit<CapabilityRoutesOptions, 'subjects'>,
    Omit<ExplainRoutesOptions, 'subjects'> {
  readonly random: RandomBytes
}

const writeFields = {
  policy: { kind: 'string', description: 'The rules: HCL, JSON or base64 of either' },
  rules: { kind: 'string', description: 'The old name of policy', default: '', deprecated: true },
  cas: { kind: 'int', description: 'The version that this replaces; -1: there must be none' },
  cas_required: { kind: 'bool', description: 'Writes must send cas' },
  expiration: { kind: 'string', description: 'RFC 3339 or seconds since 1970: the policy is gone from then on' },
  ttl: { kind: 'duration', description: 'The policy is gone after this time' },
  allow_slashes_in_identity_templates: { kind: 'bool', description: 'Values of templates may hold "/"' },
  allow_wildcards_in_identity_templates: { kind: 'bool', description: 'Values of templates may hold "*" and "+"' },
} as const satisfies Fields

const pageFields = {
  after: { kind: 'string', description: 'Names after this one', default: '' },
  limit: { kind: 'int', description: 'At most so many names', default: 0 },
} as const satisfies Fields

export function policyRoutes(options: PolicyRoutesOptions): Route[] {
  const { policies, barrier, namespace, random, presented } = options
  const subjects = new Subjects(options)
  const passwords = new PasswordPolicies({ rows: barrier, namespace, random })
  return [
    ...aclRoutes(policies),
    ...oldRoutes(policies),
    ...passwordPolicyRoutes(passwords),
    ...capabilityRoutes({ presented, subjects }),
    ...resultantAclRoutes({ presented, subjects }),
    ...explainRoutes({ ...options, subjects }),
  ]
}

function aclRoutes(policies: PolicyStore): Route[] {
  return [
    { path: 'policies/acl', summary: 'Lists the policies.', on: { list: listNames(policies) } },
    {
      path: 'policies/acl/{name...}',
      summary: 'A policy.',
      on: {
        read: readPolicy(policies, 'policy'),
        update: writePolicy(policies, false),
        patch: patchPolicy(policies),
        delete: deletePolicy(policies),
        list: listNames(policies),
      },
    },
    {
      path: 'policies/detailed/acl',
      summary: 'Lists the policies with what they say.',
      on: { list: listAll(policies) },
    },
    {
      path: 'policies/detailed/acl/{name...}',
      summary: 'Lists the policies of a folder with what they say.',
      on: { list: listAll(policies) },
    },
  ]
}

function oldRoutes(policies: PolicyStore): Route[] {
  return [
    { path: 'policy', summary: 'Lists the policies.', on: { read: oldList(policies), list: oldList(policies) } },
    {
      path: 'policy/{name...}',
      summary: 'A policy, as older clients read it.',
      on: {
        read: readPolicy(policies, 'rules'),
        update: writePolicy(policies, true),
        delete: deletePolicy(policies),
        list: oldList(policies),
      },
    },
  ]
}

const nameOf = (call: Call<unknown>) => call.params['name'] ?? ''

function readPolicy(policies: PolicyStore, member: 'policy' | 'rules'): Operation {
  return operation({
    input: {},
    handle: async (call) => {
      const found = await policies.get(nameOf(call))
      if (!found) return { kind: 'none' }
      return { kind: 'data', data: policyJson(found, member), topLevel: member === 'rules' }
    },
  })
}

/** Vault's two members and OpenBao's others. */
function policyJson(found: PolicyDocument, member: 'policy' | 'rules'): JsonObject {
  return {
    name: found.name,
    [member]: found.text,
    version: found.version,
    // What was never written has Go's zero time, as OpenBao's root has.
    modified: found.modifiedAt === 0 ? '0001-01-01T00:00:00Z' : formatGoTime(found.modifiedAt),
    cas_required: found.casRequired,
    allow_slashes_in_identity_templates: found.allowSlashes,
    allow_wildcards_in_identity_templates: found.allowWildcards,
    ...(found.expiresAt !== undefined && { expiration: formatGoTime(found.expiresAt) }),
  }
}

function deletePolicy(policies: PolicyStore): Operation {
  return operation({
    input: {},
    handle: async (call) => {
      await policies.delete(nameOf(call))
      return { kind: 'none' }
    },
  })
}

function writePolicy(policies: PolicyStore, old: boolean): Operation {
  return operation({
    input: writeFields,
    handle: async (call) => {
      const { input } = call
      if (old && !input.policy) call.warn("'rules' is deprecated, please use 'policy' instead")
      const text = input.policy || (old ? input.rules : '')
      return written(call, await policies.put(nameOf(call), { ...settingsIn(input, call.now), text }))
    },
  })
}

function patchPolicy(policies: PolicyStore): Operation {
  return operation({
    input: writeFields,
    handle: async (call) => {
      const { policy: text } = call.input
      const patch = { ...settingsIn(call.input, call.now), ...(text !== undefined && { text }) }
      return written(call, await policies.patch(nameOf(call), patch))
    },
  })
}

function written(call: Call<unknown>, stored: string): Reply {
  if (stored !== nameOf(call)) call.warn(`policy name was converted to ${stored}`)
  return { kind: 'none' }
}

function settingsIn(input: InputOf<typeof writeFields>, now: number): PolicyPatch {
  const { cas, cas_required: casRequired, expiration, ttl } = input
  const allowSlashes = input.allow_slashes_in_identity_templates
  const allowWildcards = input.allow_wildcards_in_identity_templates
  if (expiration && ttl) throw new Refusal(400, 'only one of "expiration" and "ttl" can be sent')
  const expiresAt = ttl ? now + ttl : expiration ? parseAbsoluteTime(expiration) : undefined
  if (expiration && expiresAt === undefined) {
    throw new Refusal(400, `invalid expiration ${JSON.stringify(expiration)}: want RFC 3339 or seconds since 1970`)
  }
  return {
    ...(cas !== undefined && { cas }),
    ...(casRequired !== undefined && { casRequired }),
    ...(allowSlashes !== undefined && { allowSlashes }),
    ...(allowWildcards !== undefined && { allowWildcards }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
}

async function pageOf(policies: PolicyStore, call: Call<InputOf<typeof pageFields>>): Promise<string[]> {
  const { after, limit } = call.input
  const names = await policies.list(nameOf(call))
  const later = after === '' ? names : names.filter((name) => compareUtf8(name, after) > 0)
  return limit > 0 ? later.slice(0, limit) : later
}

function listNames(policies: PolicyStore): Operation {
  return operation({
    input: pageFields,
    handle: async (call) => ({ kind: 'data', data: { keys: await pageOf(policies, call) } }),
  })
}

function listAll(policies: PolicyStore): Operation {
  return operation({
    input: pageFields,
    handle: async (call) => {
      const info: Record<string, Json> = Object.create(null)
      for (const key of await pageOf(policies, call)) {
        const found = await policies.get(nameOf(call) + key)
        if (found) info[key] = policyJson(found, 'policy')
      }
      return { kind: 'data', data: { keys: Object.keys(info), key_info: info } }
    },
  })
}

function oldList(policies: PolicyStore): Operation {
  return operation({
    input: pageFields,
    handle: async (call) => {
      const keys = await pageOf(policies, call)
      return { kind: 'data', data: { keys, policies: keys }, topLevel: true }
    },
  })
}
