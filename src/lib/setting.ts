export type Env = Readonly<Record<string, string | undefined>>

/** COFFER_X, then VAULT_X, then BAO_X; an empty variable counts as absent. */
export function setting(env: Env, name: string): { readonly value: string; readonly from: string } | undefined {
  for (const prefix of ['COFFER_', 'VAULT_', 'BAO_']) {
    const value = env[prefix + name]
    if (value !== undefined && value !== '') return { value, from: prefix + name }
  }
  return undefined
}
