/** auth/token/: tokens as clients make, look up, renew and end them. */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { AuthMethod, LoginGrant } from '../../contracts/auth.ts'
import type { Fields } from '../../contracts/fields.ts'
import type { Mounted } from '../../contracts/mounted.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import { effectiveTtl, type SystemTtl } from '../../mounts/mount-json.ts'
import type { MountTable } from '../../mounts/mount-table.ts'
import type { PolicyStore } from '../../policies/policy-store.ts'
import { authJson } from '../../tokens/auth-json.ts'
import type { PresentedTokens } from '../../tokens/presented-tokens.ts'
import type { TokenRevocation } from '../../tokens/token-revocation.ts'
import type { TokenRow } from '../../tokens/token-row.ts'
import type { TokenStore } from '../../tokens/token-store.ts'
import { tokenTtl } from '../../tokens/token-ttl.ts'
import { createToken } from './create-token.ts'
import { lookupJson } from './lookup-json.ts'

export interface TokenFaceOptions {
  readonly tokens: TokenStore
  readonly revocation: TokenRevocation
  readonly policies: PolicyStore
  readonly mounts: MountTable
  readonly presented: PresentedTokens
  readonly ttl: SystemTtl
}

const tokenField = { kind: 'string', description: 'The token', default: '' } as const
const accessorField = { kind: 'string', description: 'The accessor of the token', default: '' } as const
const incrementField = { kind: 'duration', description: 'How long it shall live from now', default: 0 } as const
export const createFields = {
  id: { kind: 'string', description: 'The token itself; needs sudo', default: '' },
  policies: { kind: 'commaList', description: 'Policies of the token' },
  meta: { kind: 'stringMap', description: 'Shown in lookups and audit' },
  no_parent: { kind: 'bool', description: 'Not to end with its parent; needs sudo', default: false },
  no_default_policy: { kind: 'bool', description: 'Without the policy "default"', default: false },
  renewable: { kind: 'bool', description: 'Whether it can be renewed', default: true },
  ttl: { kind: 'duration', description: 'How long it lives', default: 0 },
  lease: { kind: 'duration', description: 'The old name of ttl', default: 0, deprecated: true },
  explicit_max_ttl: { kind: 'duration', description: 'The limit of all renewals together', default: 0 },
  display_name: { kind: 'string', description: 'A name for logs and audit', default: '' },
  num_uses: { kind: 'int', description: 'How often it can be used; 0 is any number', default: 0 },
  period: { kind: 'duration', description: 'Each renewal gives this much, without limit; needs sudo', default: 0 },
  type: { kind: 'string', description: '"service"', default: '' },
  entity_alias: { kind: 'string', description: 'Only with a role', default: '' },
} as const satisfies Fields

export function createTokenFace(options: TokenFaceOptions): Mounted {
  const { tokens } = options
  const accessors = operation({
    input: {},
    access: 'sudo',
    handle: async () => ({ kind: 'data', data: { keys: await allAccessors(tokens) } }),
  })
  return {
    routes: [
      { path: 'create', summary: 'Makes a token.', on: { update: createOperation(options, false) } },
      {
        path: 'create-orphan',
        summary: 'Makes a token without parent.',
        on: { update: createOperation(options, true) },
      },
      ...lookupRoutes(options),
      ...renewRoutes(options),
      ...revokeRoutes(options),
      { path: 'accessors', summary: 'Lists the accessors of all tokens.', on: { list: accessors } },
    ],
  }
}

function lookupRoutes({ tokens, presented }: TokenFaceOptions): Route[] {
  const show = async (id: string, token: string, row: TokenRow, now: number): Promise<Reply> => ({
    kind: 'data',
    data: lookupJson(row, token, now, row.numUses > 0 ? await tokens.usesLeft(id) : undefined),
  })
  const lookup = async (token: string, call: Call<unknown>): Promise<Reply> => {
    if (token === '') throw new Refusal(400, 'missing token ID')
    const id = tokens.idOf(token)
    const row = await tokens.find(id)
    if (!row) throw new Refusal(403, 'bad token')
    return show(id, token, row, call.now)
  }
  const own = (call: Call<unknown>) => presented.get(call)?.token ?? ''
  const self = operation({ input: {}, effect: 'none', handle: (call) => lookup(own(call), call) })
  const other = operation({
    input: { token: tokenField },
    effect: 'none',
    handle: (call) => lookup(call.input.token || own(call), call),
  })
  const byAccessor = operation({
    input: { accessor: accessorField },
    effect: 'none',
    handle: async (call) => {
      if (call.input.accessor === '') throw new Refusal(400, 'missing accessor')
      const found = await tokens.findByAccessor(call.input.accessor)
      if (!found) throw new Refusal(403, 'invalid accessor')
      return show(found.id, '', found.row, call.now)
    },
  })
  return [
    { path: 'lookup-self', summary: 'Shows the token of the request.', on: { read: self, update: self } },
    { path: 'lookup', summary: 'Shows a token.', on: { read: other, update: other } },
    {
      path: 'lookup-accessor',
      summary: 'Shows the token of an accessor, without the token itself.',
      on: { update: byAccessor },
    },
  ]
}

function renewRoutes(options: TokenFaceOptions): Route[] {
  const { tokens, presented } = options
  const renew = async (call: Call<{ increment: number }>, id: string, token: string): Promise<Reply> => {
    const row = await tokens.find(id)
    if (!row) throw new Refusal(400, 'token not found')
    return renewToken(options, call, { id, token, row })
  }
  const self = operation({
    input: { increment: incrementField, token: tokenField },
    handle: (call) => {
      const own = presented.get(call)
      return renew(call, own?.live.id ?? '', own?.token ?? '')
    },
  })
  const other = operation({
    input: { increment: incrementField, token: tokenField },
    handle: (call) => {
      if (call.input.token === '') throw new Refusal(400, 'missing token ID')
      return renew(call, tokens.idOf(call.input.token), call.input.token)
    },
  })
  const byAccessor = operation({
    input: { increment: incrementField, accessor: accessorField },
    handle: async (call) => {
      const found = await tokens.findByAccessor(call.input.accessor)
      if (!found) throw new Refusal(400, 'invalid accessor')
      return renew(call, found.id, '')
    },
  })
  return [
    { path: 'renew-self', summary: 'Prolongs the token of the request.', on: { update: self } },
    { path: 'renew', summary: 'Prolongs a token.', on: { update: other } },
    { path: 'renew-accessor', summary: 'Prolongs the token of an accessor.', on: { update: byAccessor } },
  ]
}

function revokeRoutes({ tokens, revocation, presented }: TokenFaceOptions): Route[] {
  const revoke = async (call: Call<unknown>, id: string): Promise<Reply> => {
    await revocation.revoke(id, call.signal)
    return { kind: 'none' }
  }
  const given = (call: Call<{ token: string }>) => {
    if (call.input.token === '') throw new Refusal(400, 'missing token ID')
    return tokens.idOf(call.input.token)
  }
  const self = operation({ input: {}, handle: (call) => revoke(call, presented.get(call)?.live.id ?? '') })
  const other = operation({ input: { token: tokenField }, handle: async (call) => revoke(call, given(call)) })
  const byAccessor = operation({
    input: { accessor: accessorField },
    handle: async (call) => {
      if (call.input.accessor === '') throw new Refusal(400, 'missing accessor')
      const found = await tokens.findByAccessor(call.input.accessor)
      if (!found) throw new Refusal(400, 'invalid accessor')
      return revoke(call, found.id)
    },
  })
  const orphan = operation({
    input: { token: tokenField },
    access: 'sudo',
    handle: async (call) => {
      const found = await revocation.revokeOrphaning(given(call), call.signal)
      if (!found) throw new Refusal(400, 'token to revoke not found')
      return { kind: 'none' }
    },
  })
  const all = 'with its children and leases'
  return [
    { path: 'revoke-self', summary: `Ends the token of the request ${all}.`, on: { update: self } },
    { path: 'revoke', summary: `Ends a token ${all}.`, on: { update: other } },
    { path: 'revoke-accessor', summary: `Ends the token of an accessor ${all}.`, on: { update: byAccessor } },
    {
      path: 'revoke-orphan',
      summary: 'Ends a token and its leases; its children live on.',
      on: { update: orphan },
    },
  ]
}

function createOperation(options: TokenFaceOptions, orphan: boolean) {
  return operation({
    input: createFields,
    access: orphan ? 'sudo' : 'token',
    handle: (call) => createToken(options, call, orphan),
  })
}

async function allAccessors(tokens: TokenStore): Promise<string[]> {
  const keys: string[] = []
  let after: string | undefined
  for (;;) {
    const page = await tokens.listAccessors(after, 500)
    keys.push(...page.accessors)
    after = page.last
    if (after === undefined) return keys
  }
}

interface Renewed {
  readonly id: string
  readonly token: string
  readonly row: TokenRow
}

async function renewToken(
  options: TokenFaceOptions,
  call: Call<{ increment: number }>,
  { id, token, row }: Renewed,
): Promise<Reply> {
  if (row.expiresAt === 0 || !row.renewable) throw new Refusal(400, 'lease is not renewable')
  const grant = row.login && (await regrant(options, row, row.login))
  const mount = options.mounts.known.byUuid(row.mount)
  const limits = mount ? effectiveTtl(mount.info.config, options.ttl) : options.ttl
  const { ttlMs, warnings } = tokenTtl({
    wantedMs: call.input.increment,
    roleTtlMs: grant ? grant.ttlMs : row.creationTtlMs,
    roleMaxTtlMs: grant?.maxTtlMs ?? 0,
    explicitMaxTtlMs: row.explicitMaxTtlMs,
    periodMs: grant ? grant.periodMs : row.periodMs,
    ...limits,
    issuedAt: row.createdAt,
    now: call.now,
  })
  const next = await options.tokens.renew(id, ttlMs, call.now, grant)
  const auth: JsonObject = authJson(token, next, ttlMs)
  return { kind: 'auth', auth, warnings }
}

/** The method says what today's role allows, or refuses. */
async function regrant(options: TokenFaceOptions, row: TokenRow, login: LoginGrant): Promise<LoginGrant> {
  const mount = options.mounts.known.byUuid(row.mount)
  if (!mount) throw new Refusal(400, 'the auth method of this token is gone')
  const method: AuthMethod = mount.engine
  return method.renew ? method.renew(login) : login
}
