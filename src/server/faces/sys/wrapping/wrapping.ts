/** sys/wrapping: answers behind a token of one use. */
import * as z from 'zod'
import { formatGoTime } from '../../../../lib/go-time.ts'
import { RawJson } from '../../../../lib/json/value.ts'
import type { NamespaceInfo } from '../../../contracts/epochs.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { PresentedTokens } from '../../../tokens/presented-tokens.ts'
import type { TokenRevocation } from '../../../tokens/token-revocation.ts'
import type { Wrapping, Wrappings } from '../../../wrapping/wrapping.ts'
import { sentToken } from '../presented-acl.ts'

export interface WrappingRoutesOptions {
  readonly wrappings: Wrappings
  readonly revocation: TokenRevocation
  readonly presented: PresentedTokens
  /** Whether the inner namespace is the outer one or lies in it. */
  readonly isBelow: (outerId: string, innerId: string) => boolean
  readonly namespaceOf: (id: string) => NamespaceInfo | undefined
}

const fields = { token: { kind: 'string', description: 'The wrapping token', default: '' } } as const
const invalid = () => new Refusal(400, 'wrapping token is not valid or does not exist')

export function wrappingRoutes(options: WrappingRoutesOptions): Route[] {
  // `optional`: a wrapping token opens itself, and looking it up needs no token at all.
  const lookup = operation({ input: fields, access: 'optional', handle: (call) => show(options, call) })
  const unwrap = operation({ input: fields, access: 'optional', handle: (call) => open(options, call) })
  const rewrap = operation({ input: fields, access: 'optional', handle: (call) => again(options, call) })
  return [
    {
      path: 'wrapping/wrap',
      summary: 'Wraps what it is given.',
      on: { update: operation({ input: 'free', handle: wrap }) },
    },
    {
      path: 'wrapping/lookup',
      summary: 'Where a wrapping token comes from; it stays as it is.',
      on: { update: lookup, read: lookup },
    },
    { path: 'wrapping/unwrap', summary: 'Gives back what a wrapping token holds, once.', on: { update: unwrap } },
    {
      path: 'wrapping/pubkey',
      summary: 'The key that signs wrapping tokens in the form of a JWT.',
      on: {
        read: operation({
          input: {},
          access: 'public',
          handle: async () => ({ kind: 'data', data: await options.wrappings.jwt.publicKey() }),
        }),
      },
    },
    { path: 'wrapping/rewrap', summary: 'Moves what a wrapping token holds to a new one.', on: { update: rewrap } },
  ]
}

async function wrap(call: Call): Promise<Reply> {
  if ((call.headers['x-vault-wrap-ttl'] ?? '') === '') {
    throw new Refusal(400, 'endpoint requires response wrapping to be used')
  }
  return { kind: 'data', data: call.input }
}

/** The token that is meant, and whether the caller may do this to it. */
async function meant(options: WrappingRoutesOptions, call: Call<{ token: string }>, needsRights: boolean) {
  const presented = options.presented.get(call)
  const own = sentToken(call.headers)
  const token = call.input.token || own
  if (token === '') throw new Refusal(400, 'missing "token" value in input')
  if (needsRights && token !== own) {
    if (!presented) throw new Refusal(403, 'permission denied')
    const { allowed } = presented.acl.check({ path: `sys/${call.path}`, operation: 'update' })
    if (!allowed) throw new Refusal(403, '1 error occurred:\n\t* permission denied\n\n')
  }
  const found = await options.wrappings.find(token)
  if (!found || !options.isBelow(call.namespace.id, found.row.namespace)) throw invalid()
  return found
}

async function show(options: WrappingRoutesOptions, call: Call<{ token: string }>): Promise<Reply> {
  const found = await meant(options, call, false)
  return {
    kind: 'data',
    data: {
      creation_path: found.creationPath,
      creation_time: formatGoTime(found.createdAt),
      creation_ttl: Math.floor(found.creationTtlMs / 1000),
    },
  }
}

async function open(options: WrappingRoutesOptions, call: Call<{ token: string }>): Promise<Reply> {
  const found = await meant(options, call, true)
  const response = await taken(options, call, found)
  if (response === '') return { kind: 'none' }
  return found.raw ? rawReply(response) : { kind: 'stored', envelope: new RawJson(response) }
}

const rawSchema = z.looseObject({
  data: z.object({ http_content_type: z.string(), http_raw_body: z.base64(), http_status_code: z.literal(200) }),
})

/** What had no envelope when it was wrapped comes out without one. */
function rawReply(response: string): Reply {
  const { data } = rawSchema.parse(JSON.parse(response))
  return { kind: 'raw', contentType: data.http_content_type, body: Buffer.from(data.http_raw_body, 'base64') }
}

/** Keeps the TTL and the path of creation; the old token is used up. */
async function again(options: WrappingRoutesOptions, call: Call<{ token: string }>): Promise<Reply> {
  const found = await meant(options, call, true)
  const response = await taken(options, call, found)
  const namespace = options.namespaceOf(found.row.namespace) ?? call.namespace
  const { creationTtlMs: ttlMs, creationPath, wrappedAccessor, raw } = found
  const made = await options.wrappings.wrap(response, {
    ttlMs,
    creationPath,
    namespace,
    ...(wrappedAccessor ? { wrappedAccessor } : {}),
    ...(raw ? { raw } : {}),
  })
  return { kind: 'wrapped', wrapped: made }
}

/** Two at once: one gets it. */
async function taken(options: WrappingRoutesOptions, call: Call<unknown>, found: Wrapping): Promise<string> {
  const response = await options.wrappings.take(found)
  if (response === undefined) throw invalid()
  await options.revocation.revoke(found.id, call.signal)
  return response
}
