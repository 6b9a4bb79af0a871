export interface KvMount {
  /** The store's `path`: the mount, possibly with a folder. Undefined: keys start with the mount. */
  readonly path: string | undefined
  readonly version: 'v1' | 'v2'
}

/**
 * Where remoteRef.key leads, as ESO's buildPath resolves it. A key may repeat the store's path and, only after that, `data/`:
 * with path "secret", `a`, `secret/a` and `secret/data/a` are one secret, but `data/a` is the secret "data/a".
 */
export function requestPath(mount: KvMount, key: string): string {
  if (mount.path === undefined) return mount.version === 'v1' ? key : withData(key)
  const path = mount.path.replace(/\/+$/, '')
  const rest = withoutPath(path, mount.version, key)
  return mount.version === 'v1' ? `${path}/${rest}` : `${path}/data/${rest}`
}

function withoutPath(path: string, version: 'v1' | 'v2', key: string): string {
  if (!key.startsWith(`${path}/`)) return key
  const rest = key.slice(path.length + 1)
  return version === 'v2' && rest.startsWith('data/') ? rest.slice('data/'.length) : rest
}

function withData(key: string): string {
  if (key.includes('/data/')) return key
  const slash = key.indexOf('/')
  return slash < 0 ? `${key}/data` : `${key.slice(0, slash)}/data${key.slice(slash)}`
}

/** The data path that a notice is about; notices on metadata concern the same secret. */
export function noticedPath(notice: { path: string; mountPath: string }): string {
  const { path, mountPath } = notice
  const kinds = ['metadata/', 'delete/', 'undelete/', 'destroy/']
  const kind = mountPath === '' ? undefined : kinds.find((name) => path.startsWith(mountPath + name))
  return kind === undefined ? path : `${mountPath}data/${path.slice(mountPath.length + kind.length)}`
}
