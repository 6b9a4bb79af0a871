/** Roles and clients that sign with a key: its row names them, so that it stays as long as there are any. */
import { Refusal } from '../../contracts/request.ts'
import type { KeyRow } from './oidc-rows.ts'

/** One row names them all. */
const most = { roles: 5000, clients: 1000 } as const

/** By name, `user` among them once. */
export function withUser<T extends { readonly name: string }>(
  users: readonly T[],
  user: T,
  what: keyof typeof most,
): T[] {
  const others = users.filter((one) => one.name !== user.name)
  if (others.length >= most[what]) throw new Refusal(400, `a key serves at most ${most[what]} ${what}`)
  return [...others, user].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** `what`: "key \"k\"". */
export function refuseWhileUsed(what: string, users: string, by: readonly { readonly name: string }[]): void {
  if (by.length === 0) return
  throw new Refusal(
    400,
    `unable to delete ${what} because it is currently referenced by these ${users}: ${by.map(({ name }) => name).join(', ')}`,
  )
}

export function checkUsers(name: string, key: KeyRow | undefined, verificationMs: number): void {
  const [role, client] = [key?.roles, key?.clients].map((users) => users?.some((one) => one.ttlMs > verificationMs))
  if (!role && !client) return
  throw new Refusal(
    400,
    `unable to update key ${JSON.stringify(name)} because it is currently referenced by one or more ${role ? 'roles with a token ttl' : 'clients with an id_token_ttl'} greater than ${Math.floor(verificationMs / 1000)} seconds`,
  )
}
