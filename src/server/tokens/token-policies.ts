/** Policy names of a token: trimmed, lower-cased, without duplicates, sorted; `default` added unless told not; `root` stands alone. */
export function tokenPolicies(names: readonly string[], noDefaultPolicy: boolean): string[] {
  const set = new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''))
  if (set.has('root')) return ['root']
  if (!noDefaultPolicy) set.add('default')
  return [...set].sort()
}
