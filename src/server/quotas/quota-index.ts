/** Finds the one quota that counts for a request: the most specific. Role > path below the mount > mount > namespace > above it. */
import type { QuotaScope } from './quota-row.ts'

export interface Asked {
  readonly namespacePath: string
  readonly mountPath: string | undefined
  /** Below the namespace. */
  readonly path: string
  readonly role?: string
}

export class QuotaIndex<Q extends QuotaScope> {
  readonly size: number
  readonly quotas: readonly Q[]
  readonly #exact: ReadonlyMap<string, Q>
  /** By mount, the longest first. */
  readonly #globs: ReadonlyMap<string, readonly Q[]>
  readonly #withRoles: ReadonlySet<string>

  constructor(quotas: readonly Q[]) {
    this.size = quotas.length
    this.quotas = quotas
    this.#exact = new Map(quotas.map((quota) => [scopeKey(quota), quota]))
    const globs = new Map<string, Q[]>()
    for (const quota of quotas.filter(({ suffix }) => suffix.endsWith('*'))) {
      const key = mountKey(quota.namespace, quota.mount)
      globs.set(key, [...(globs.get(key) ?? []), quota])
    }
    for (const list of globs.values()) list.sort((a, b) => b.suffix.length - a.suffix.length)
    this.#globs = globs
    this.#withRoles = new Set(
      quotas.filter(({ role }) => role !== '').map(({ namespace, mount }) => mountKey(namespace, mount)),
    )
  }

  hasRoles(namespacePath: string, mountPath: string): boolean {
    return this.#withRoles.has(mountKey(namespacePath, mountPath))
  }

  find(asked: Asked): Q | undefined {
    if (this.size === 0) return undefined
    return this.#inMount(asked) ?? this.#inNamespace(asked.namespacePath)
  }

  #inMount({ namespacePath: namespace, mountPath: mount, path, role }: Asked): Q | undefined {
    if (mount === undefined || mount === '') return undefined
    const at = { namespace, mount, suffix: '', role: '' }
    const byRole = role === undefined || role === '' ? undefined : this.#exact.get(scopeKey({ ...at, role }))
    if (byRole) return byRole
    const suffix = path.slice(mount.length).replace(/\/+$/, '')
    const bySuffix = suffix === '' ? undefined : this.#exact.get(scopeKey({ ...at, suffix }))
    if (bySuffix) return bySuffix
    const globs = this.#globs.get(mountKey(namespace, mount))
    return globs?.find((quota) => suffix.startsWith(quota.suffix.slice(0, -1))) ?? this.#exact.get(scopeKey(at))
  }

  #inNamespace(path: string): Q | undefined {
    for (let namespace = path; ; namespace = namespace.slice(0, namespace.lastIndexOf('/', namespace.length - 2) + 1)) {
      const quota = this.#exact.get(scopeKey({ namespace, mount: '', suffix: '', role: '' }))
      if (quota && (namespace === path || quota.inheritable)) return quota
      if (namespace === '') return undefined
    }
  }
}

const mountKey = (namespace: string, mount: string) => `${namespace}\0${mount}`

/** Two quotas of a type with the same key would be about the same requests. */
export const scopeKey = (scope: Omit<QuotaScope, 'inheritable'>) =>
  `${mountKey(scope.namespace, scope.mount)}\0${scope.suffix}\0${scope.role}`
