import type { RawJson } from '../../../lib/json/value.ts'
import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { LiveToken } from '../../tokens/live-token.ts'
import type { FoundToken, TokenStore } from '../../tokens/token-store.ts'
import { findByAccessor, findToken } from './found-token.ts'
import { keptLookup, lookupJson } from './lookup-json.ts'
import type { TokenFaceOptions } from './token-face.ts'
import { accessorField, tokenField } from './token-fields.ts'

export function lookupRoutes(options: TokenFaceOptions): Route[] {
  const { tokens, namespaceOf } = options
  const own = (call: Call<unknown>) => options.presented.get(call)
  /** Clients ask for their own token again and again. */
  const known = new WeakMap<LiveToken, RawJson>()
  /** The caller's own is looked up also from a namespace below its own. */
  const self = operation({
    input: {},
    effect: 'none',
    handle: async (call) => {
      const presented = own(call)
      if (!presented) throw new Refusal(403, 'bad token')
      // As the request's own read found it, ancestors and entity included: nothing is asked a second time.
      const { live, token } = presented
      const { row, identityPolicies } = live
      let kept = known.get(live)
      if (!kept) {
        kept = keptLookup({ row, token, namespace: namespaceOf(row.namespace), identityPolicies })
        known.set(live, kept)
      }
      return shown(tokens, live, kept, call)
    },
  })
  const other = operation({
    input: { token: tokenField },
    effect: 'none',
    handle: async (call) => {
      const { token } = call.input
      if (token === '' || token === own(call)?.token) return self.handle(call)
      const found = await findToken(options, token)
      if (!found) throw new Refusal(403, 'bad token')
      return show(options, found, token, call)
    },
  })
  const byAccessor = operation({
    input: { accessor: accessorField },
    effect: 'none',
    handle: async (call) => {
      if (call.input.accessor === '') throw new Refusal(400, '1 error occurred:\n\t* missing accessor\n\n')
      const found = await findByAccessor(options, call.input.accessor)
      if (!found) throw new Refusal(400, '1 error occurred:\n\t* invalid accessor\n\n')
      return show(options, found, '', call)
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

async function show(options: TokenFaceOptions, found: FoundToken, token: string, call: Call<unknown>): Promise<Reply> {
  const { tokens, namespaceOf, nounsOf } = options
  const { row } = found
  const namespace = namespaceOf(row.namespace)
  const identityPolicies = namespace ? await tokens.identityPolicies(row, nounsOf(namespace).identity) : []
  return shown(tokens, found, keptLookup({ row, token, namespace, identityPolicies }), call)
}

async function shown(
  tokens: TokenStore,
  { id, row }: FoundToken,
  kept: RawJson,
  { now }: Call<unknown>,
): Promise<Reply> {
  const usesLeft = row.numUses > 0 ? await tokens.usesLeft(id) : undefined
  return { kind: 'data', data: lookupJson(kept, row, now, usesLeft) }
}
