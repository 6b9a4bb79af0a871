/** Who calls. */

export interface User {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

export const adminUser: User = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }

/** The cluster's own controllers: they may do what they must. */
export const systemUser: User = { name: 'system:kube-controller-manager', groups: ['system:masters'] }

/** As UserInfo of authentication.k8s.io. */
export function userInfo(user: User) {
  return {
    username: user.name,
    ...(user.uid ? { uid: user.uid } : {}),
    groups: [...user.groups],
    ...(user.extra ? { extra: user.extra } : {}),
  }
}
