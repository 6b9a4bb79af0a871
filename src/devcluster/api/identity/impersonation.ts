/** Acting as somebody else (k8s.io/apiserver/pkg/endpoints/filters/impersonation). */
import { dnsLabelProblem, dnsSubdomainProblem } from '../kinds/names.ts'
import type { HeaderLine } from '../wire.ts'
import type { ResourceAccess } from './rbac/rule.ts'
import { type AccountName, accountGroups, accountUser, anonymousUser, everyone, nobody, type User } from './user.ts'

/** Whom the headers name. */
export interface Wish {
  readonly user: string
  readonly uid: string
  readonly groups: readonly string[]
  readonly extra: ReadonlyMap<string, readonly string[]>
}

const extraPrefix = 'impersonate-extra-'

/** Undefined: the request is in the caller's own name. A text: why it cannot be understood. */
export function readWish(headers: readonly HeaderLine[]): Wish | string | undefined {
  const all = (name: string) => headers.filter(([key]) => key === name).map(([, value]) => value)
  const user = all('impersonate-user')[0] ?? ''
  const uid = all('impersonate-uid')[0] ?? ''
  const groups = all('impersonate-group')
  const extra = new Map<string, string[]>()
  for (const [name, value] of headers) {
    if (!name.startsWith(extraPrefix)) continue
    const key = decoded(name.slice(extraPrefix.length))
    extra.set(key, [...(extra.get(key) ?? []), value])
  }
  if (user !== '') return { user, uid, groups, extra }
  if (uid === '' && groups.length === 0 && extra.size === 0) return undefined
  const asked = [
    ...groups.map((group) => `{Group  ${group}    }`),
    ...[...extra].flatMap(([key, values]) =>
      values.map((value) => `{UserExtra  ${value}  authentication.k8s.io/v1  ${key}}`),
    ),
    ...(uid === '' ? [] : [`{UID  ${uid}  authentication.k8s.io/v1  }`]),
  ]
  return `requested [${asked.join(' ')}] without impersonating a user`
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}

/** What the caller must be allowed, one thing after the other. */
export function accessesOf(wish: Wish): readonly ResourceAccess[] {
  const access = (group: string, resource: string, name: string, more: Partial<ResourceAccess> = {}) => {
    return { verb: 'impersonate', group, resource, subresource: undefined, namespace: undefined, name, ...more }
  }
  const account = accountOf(wish.user)
  const authentication = 'authentication.k8s.io'
  return [
    account
      ? access('', 'serviceaccounts', account.name, { namespace: account.namespace })
      : access('', 'users', wish.user),
    ...wish.groups.map((group) => access('', 'groups', group)),
    ...[...wish.extra].flatMap(([key, values]) =>
      values.map((value) => access(authentication, 'userextras', value, { subresource: key })),
    ),
    ...(wish.uid === '' ? [] : [access(authentication, 'uids', wish.uid)]),
  ]
}

/** A service account has its groups unless some are named; everybody is known or not. */
export function impersonated(wish: Wish): User {
  const account = accountOf(wish.user)
  const groups = account && wish.groups.length === 0 ? accountGroups(account.namespace) : [...wish.groups]
  if (wish.user === anonymousUser.name) {
    if (!groups.includes(nobody)) groups.push(nobody)
  } else if (!groups.includes(everyone) && !groups.includes(nobody)) groups.push(everyone)
  return {
    name: account ? accountUser(account) : wish.user,
    ...(wish.uid === '' ? {} : { uid: wish.uid }),
    groups,
    extra: Object.fromEntries(wish.extra),
  }
}

function accountOf(user: string): AccountName | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user)
  if (!match) return undefined
  const [, namespace = '', name = ''] = match
  return dnsLabelProblem(namespace) || dnsSubdomainProblem(name) ? undefined : { namespace, name }
}
