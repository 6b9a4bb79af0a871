/** Who calls. */

export interface User {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

export const everyone = 'system:authenticated'
export const nobody = 'system:unauthenticated'

export const adminUser: User = { name: 'kubernetes-admin', groups: ['system:masters', everyone] }

/** The cluster's own controllers: they may do what they must. */
export const systemUser: User = { name: 'system:kube-controller-manager', groups: ['system:masters'] }

/** Who shows no credentials at all. */
export const anonymousUser: User = { name: 'system:anonymous', groups: [nobody] }

export interface AccountName {
  readonly namespace: string
  readonly name: string
}

export const accountUser = ({ namespace, name }: AccountName) => `system:serviceaccount:${namespace}:${name}`
export const accountGroups = (namespace: string) => ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]

/** As UserInfo of authentication.k8s.io. */
export function userInfo(user: User) {
  return {
    username: user.name,
    ...(user.uid ? { uid: user.uid } : {}),
    ...(user.groups.length > 0 ? { groups: [...user.groups] } : {}),
    ...(user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
  }
}
