/** auth/token/: tokens as clients make, look up, renew and end them. One per namespace. */

import type { EntitySource } from '../../contracts/access/standing.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import type { Mounted } from '../../contracts/mounted.ts'
import { type Call, operation, type Reply, type Route } from '../../contracts/request.ts'
import type { SystemTtl } from '../../mounts/mount-json.ts'
import type { MountTable } from '../../mounts/mount-table.ts'
import type { PolicyStore } from '../../policies/policy-store.ts'
import type { PresentedTokens } from '../../tokens/presented-tokens.ts'
import type { TokenRevocation } from '../../tokens/token-revocation.ts'
import type { TokenStore } from '../../tokens/token-store.ts'
import { createRoutes } from './create-token.ts'
import { lookupRoutes } from './lookup.ts'
import { renewRoutes } from './renew.ts'
import { revokeRoutes } from './revoke.ts'
import { roleRoutes } from './roles/roles.ts'
import { pageFields } from './token-fields.ts'

export interface TokenFaceOptions {
  readonly namespace: NamespaceInfo
  readonly tokens: TokenStore
  readonly revocation: TokenRevocation
  /** Of this namespace: to warn of policies that do not exist. */
  readonly policies: Pick<PolicyStore, 'get'>
  readonly presented: PresentedTokens
  readonly ttl: SystemTtl
  /** Of this namespace and those below it, whose tokens can be looked up and ended from here. */
  readonly nounsOf: (namespace: NamespaceInfo) => {
    readonly mounts: Pick<MountTable, 'find'>
    readonly identity: EntitySource
  }
  readonly namespaceOf: (id: string) => NamespaceInfo | undefined
  readonly isBelow: (outerId: string, innerId: string) => boolean
}

const pageSize = 500

export function createTokenFace(options: TokenFaceOptions): Mounted {
  return {
    routes: [
      ...createRoutes(options),
      ...lookupRoutes(options),
      ...renewRoutes(options),
      ...revokeRoutes(options),
      ...roleRoutes(options),
      ...upkeepRoutes(options),
    ],
  }
}

function upkeepRoutes(options: TokenFaceOptions): Route[] {
  return [
    {
      path: 'accessors',
      summary: 'Lists the accessors of all tokens.',
      on: { list: operation({ input: pageFields, access: 'sudo', handle: (call) => listAccessors(options, call) }) },
    },
    {
      path: 'tidy',
      summary: 'Has what names tokens that are gone taken away.',
      on: { update: operation({ input: {}, handle: () => tidy(options) }) },
    },
  ]
}

async function listAccessors(
  { tokens, namespace }: TokenFaceOptions,
  { input, signal }: Call<{ readonly after: string; readonly limit: number }>,
): Promise<Reply> {
  const most = input.limit > 0 ? input.limit : Number.POSITIVE_INFINITY
  const keys: string[] = []
  let after = input.after === '' ? undefined : input.after
  do {
    signal.throwIfAborted()
    const page = await tokens.listAccessors(namespace.id, after, Math.min(pageSize, most - keys.length))
    keys.push(...page.accessors)
    after = page.last
  } while (after !== undefined && keys.length < most)
  return { kind: 'data', data: { keys } }
}

async function tidy({ revocation, namespace }: TokenFaceOptions): Promise<Reply> {
  if (!(await revocation.tidy.request(namespace.id)))
    return { kind: 'none', warnings: ['Tidy operation already in progress.'] }
  const text =
    "Tidy operation successfully started. Any information from the operation will be printed to OpenBao's server logs."
  return { kind: 'none', status: 202, warnings: [text] }
}
