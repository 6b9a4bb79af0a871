import { type Call, operation, Refusal, type Reply, type Route } from '../../contracts/request.ts'
import type { FoundToken } from '../../tokens/token-store.ts'
import { findByAccessor, findToken } from './found-token.ts'
import type { TokenFaceOptions } from './token-face.ts'
import { accessorField, tokenField } from './token-fields.ts'

export function revokeRoutes(options: TokenFaceOptions): Route[] {
  const { tokens, revocation, presented } = options
  const revoke = async (call: Call<unknown>, found: FoundToken | undefined): Promise<Reply> => {
    if (found) await revocation.revoke(serviceId(found), call.signal)
    return { kind: 'none' }
  }
  const given = (call: Call<{ token: string }>) => {
    if (call.input.token === '') throw new Refusal(400, 'missing token ID')
    return findToken(options, call.input.token)
  }
  const self = operation({
    input: {},
    handle: async (call) => revoke(call, await tokens.lookup(presented.get(call)?.token ?? '')),
  })
  const other = operation({ input: { token: tokenField }, handle: async (call) => revoke(call, await given(call)) })
  const byAccessor = operation({
    input: { accessor: accessorField },
    handle: async (call) => {
      if (call.input.accessor === '') throw new Refusal(400, '1 error occurred:\n\t* missing accessor\n\n')
      const found = await findByAccessor(options, call.input.accessor)
      if (!found) call.warn('No token found with this accessor')
      return revoke(call, found)
    },
  })
  const orphan = operation({
    input: { token: tokenField },
    access: 'sudo',
    handle: async (call) => {
      const found = await given(call)
      const done = found && (await revocation.revokeOrphaning(serviceId(found), call.signal))
      if (!done) throw new Refusal(400, 'token to revoke not found')
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

function serviceId({ id, row }: FoundToken): string {
  if (row.type === 'batch') throw new Refusal(400, 'batch tokens cannot be revoked')
  return id
}
