/** sys/plugins: the engines and auth methods of this program. Nothing can be added to them at run time. */
import type { JsonObject } from '../../../../../lib/json/value.ts'
import { operation, Refusal, type Reply, type Route } from '../../../../contracts/request.ts'
import type { Mount } from '../../../../mounts/mount.ts'
import type { MountTable } from '../../../../mounts/mount-table.ts'

export interface Plugin {
  readonly type: 'auth' | 'secret' | 'database'
  /** As mounts are enabled with it: "kv". */
  readonly name: string
  readonly version: string
}

export interface PluginOptions {
  readonly plugins: readonly Plugin[]
  /** Of the face's namespace. */
  readonly mounts: MountTable
}

const types = ['auth', 'database', 'secret'] as const

export function pluginRoutes(options: PluginOptions): Route[] {
  // By code units: the names are ASCII, and a collator costs the start 10 ms.
  const plugins = [...options.plugins].sort((a, b) => (`${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1))
  const named = (type: string) => plugins.filter((plugin) => plugin.type === type).map(({ name }) => name)
  const catalog = operation({
    input: {},
    namespaces: 'root',
    handle: async () => ({
      kind: 'data',
      data: {
        detailed: plugins.map(({ type, name, version }) => ({
          type,
          name,
          version,
          builtin: true,
          deprecation_status: 'supported',
        })),
        ...Object.fromEntries(types.map((type) => [type, named(type)])),
      },
    }),
  })
  const ofType = operation({
    input: {},
    access: 'sudo',
    namespaces: 'root',
    handle: async (call) => ({ kind: 'data', data: { keys: named(typeOf(call.params['type'])) } }),
  })
  return [
    { path: 'plugins/catalog', summary: 'Engines and auth methods of this server.', on: { read: catalog } },
    { path: 'plugins/catalog/{type}', summary: 'Those of one type.', on: { list: ofType } },
    { path: 'plugins/catalog/{type}/{name...}', summary: 'One of them.', on: onePlugin(plugins) },
    ...pinRoutes(),
    reloadRoute(options.mounts),
  ]
}

function typeOf(text: string | undefined): (typeof types)[number] {
  const type = types.find((known) => known === text)
  if (!type) throw new Refusal(400, `${JSON.stringify(text ?? '')} is not a supported plugin type`)
  return type
}

const builtInOnly = async (): Promise<Reply> => {
  throw new Refusal(400, 'plugins cannot be registered or removed: this server runs only what it was built with')
}

function onePlugin(plugins: readonly Plugin[]): Route['on'] {
  const root = { access: 'sudo', namespaces: 'root' } as const
  const read = operation({
    ...root,
    input: {},
    handle: async (call) => {
      const type = typeOf(call.params['type'])
      const found = plugins.find((plugin) => plugin.type === type && plugin.name === call.params['name'])
      if (!found) return { kind: 'none' }
      const data: JsonObject = {
        name: found.name,
        args: null,
        command: '',
        sha256: '',
        builtin: true,
        version: found.version,
        deprecation_status: 'supported',
      }
      return { kind: 'data', data }
    },
  })
  return {
    read,
    update: operation({ ...root, input: 'free', effect: 'none', handle: builtInOnly }),
    delete: operation({ ...root, input: {}, effect: 'none', handle: builtInOnly }),
  }
}

/** Vault pins versions of plugins; there is only one of each here. */
function pinRoutes(): Route[] {
  const root = { access: 'sudo', namespaces: 'root' } as const
  const list = operation({
    ...root,
    input: {},
    handle: async () => ({ kind: 'data', data: { pinned_versions: [] } }),
  })
  const none = operation({ ...root, input: {}, handle: async () => ({ kind: 'none' }) })
  const refuse = operation({ ...root, input: 'free', effect: 'none', handle: builtInOnly })
  return [
    { path: 'plugins/pins', summary: 'Pinned versions: none.', on: { read: list } },
    {
      path: 'plugins/pins/{type}/{name...}',
      summary: 'The pinned version of a plugin: none.',
      on: { read: none, update: refuse, delete: none },
    },
  ]
}

function reloadRoute(mounts: MountTable): Route {
  const update = operation({
    input: {
      plugin: { kind: 'string', description: 'The name of an engine or auth method', default: '' },
      mounts: { kind: 'commaList', description: 'Paths of mounts', default: [] },
      scope: { kind: 'string', description: 'Only this process is reloaded', default: '' },
    },
    access: 'sudo',
    namespaces: 'root',
    effect: 'outside',
    handle: async (call) => {
      const { plugin, mounts: paths, scope } = call.input
      if (plugin !== '' && paths.length > 0) {
        throw new Refusal(400, 'plugin and mounts cannot be set at the same time')
      }
      if (plugin === '' && paths.length === 0) throw new Refusal(400, 'plugin or mounts must be provided')
      if (scope === 'global') call.warn('only this process was reloaded; other nodes create their mounts themselves')
      for (const mount of chosen(mounts, plugin, paths)) await mount.close()
      return { kind: 'data', data: { reload_id: call.id } }
    },
  })
  return { path: 'plugins/reload/backend', summary: 'Makes mounts anew in this process.', on: { update } }
}

function chosen(mounts: MountTable, plugin: string, paths: readonly string[]): readonly Mount[] {
  if (plugin !== '') return mounts.known.mounts.filter((mount) => !mount.builtin && mount.info.type === plugin)
  return paths.map((path) => {
    const mount = mounts.known.at(`${path.replace(/\/$/, '')}/`)
    if (!mount) throw new Refusal(400, `cannot fetch mount entry on ${JSON.stringify(path)}`)
    if (mount.builtin) throw new Refusal(400, `${path} is part of the server and cannot be reloaded`)
    return mount
  })
}
