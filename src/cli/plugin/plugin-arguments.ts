import { type CommandCall, Failure } from '../command.ts'

export const pluginTypes = ['auth', 'database', 'secret'] as const
export type PluginType = (typeof pluginTypes)[number]

/** Failure 2, as Vault has it. */
export function pluginType(given: string): PluginType {
  const found = pluginTypes.find((type) => type === given.trim())
  if (!found) throw new Failure(2, `${JSON.stringify(given)} is not a supported plugin type`)
  return found
}

/** TYPE NAME. Vault still takes the name alone, for plugins older than types, of which no server has any. */
export function pluginNamed(call: CommandCall): { readonly type: PluginType; readonly name: string; path: string } {
  const [type = '', name] = call.args
  if (name === undefined) throw new Failure(1, 'Not enough arguments (expected 2: TYPE NAME, got 1)')
  const found = pluginType(type)
  return { type: found, name: name.trim(), path: `sys/plugins/catalog/${found}/${name.trim()}` }
}
