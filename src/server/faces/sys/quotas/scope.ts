import { Refusal } from '../../../contracts/request.ts'
import type { QuotaScope } from '../../../quotas/quota-row.ts'

/** Where a path from the root namespace leads. */
export interface QuotaPlace {
  /** The deepest namespace on the way: '' for root, else with its trailing slash. */
  readonly namespacePath: string
  /** What is left of the path below it. */
  readonly rest: string
  /** The mount that answers `rest`, if any. */
  readonly mount?: {
    /** With its trailing slash and, for auth methods, the leading "auth/". */
    readonly path: string
    readonly isAuth: boolean
    /** It can say with which role a request would log in. */
    readonly namesRoles: boolean
  }
}
export type LocateQuota = (path: string) => Promise<QuotaPlace>

/** Refuses (400), in Vault's words, what leads nowhere or can't have a role. */
export async function scopeOf(
  input: { readonly path: string; readonly role: string; readonly inheritable: boolean | undefined },
  locate: LocateQuota,
): Promise<QuotaScope> {
  const given = input.path.replace(/^\/+/, '')
  const {
    namespacePath: namespace,
    rest,
    mount,
  } = await locate(given === '' || given.endsWith('/') ? given : `${given}/`)
  if (rest === '') return namespaceScope(namespace, input)
  if (!mount) throw new Refusal(400, `invalid mount path ${JSON.stringify(rest)}`)
  if (input.inheritable) {
    throw new Refusal(400, "'inheritable' can only be set on the quota of a namespace, and path leads to a mount")
  }
  const suffix = rest.slice(mount.path.length).replace(/\/+$/, '')
  const role = input.role
  if (role !== '' && suffix !== '') {
    throw new Refusal(
      400,
      'Quotas cannot contain both a path suffix and a role. If a role is provided, path must be a valid auth mount with a concept of roles',
    )
  }
  if (role !== '' && !mount.isAuth) throw new Refusal(400, unfitForRoles(mount.path))
  if (role !== '' && !mount.namesRoles) {
    throw new Refusal(400, `Mount path ${JSON.stringify(mount.path)} does not support use with role-based quotas`)
  }
  return { namespace, mount: mount.path, suffix, role, inheritable: false }
}

function namespaceScope(
  namespace: string,
  { role, inheritable }: { readonly role: string; readonly inheritable: boolean | undefined },
): QuotaScope {
  if (role !== '') throw new Refusal(400, unfitForRoles(''))
  return { namespace, mount: '', suffix: '', role: '', inheritable: inheritable ?? namespace === '' }
}

const unfitForRoles = (path: string) =>
  `Mount path ${JSON.stringify(path)} is not a valid auth method and therefore unsuitable for use with role-based quotas`
