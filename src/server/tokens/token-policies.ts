/** Policy names of a token: trimmed, lower-cased, without duplicates, sorted; `default` added unless told not; `root` stands alone. */
export function tokenPolicies(names: readonly string[], noDefaultPolicy: boolean): string[] {
  const set = new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''))
  if (set.has('root')) return ['root']
  if (!noDefaultPolicy) set.add('default')
  return [...set].sort()
}

/** The token's own and its entity's, sorted, without duplicates. */
export function unitedPolicies(own: readonly string[], identity: readonly string[]): readonly string[] {
  return identity.length === 0 ? own : [...new Set([...own, ...identity])].sort()
}
