/** Whether rules hold all that other rules give, and what they lack (k8s.io/component-helpers/auth/rbac/validation). */
import { coversPath, holds, type Rule } from './rule.ts'

/** The parts of `wanted`, each of one verb on one thing, that no single rule of `held` covers. */
export function missingFrom(held: readonly Rule[], wanted: readonly Rule[]): readonly Rule[] {
  return wanted.flatMap(atomsOf).filter((atom) => !held.some((rule) => covers(rule, atom)))
}

function atomsOf(rule: Rule): Rule[] {
  const names = rule.resourceNames.length > 0 ? rule.resourceNames.map((name) => [name]) : [[]]
  const out: Rule[] = []
  for (const group of rule.apiGroups)
    for (const resource of rule.resources)
      for (const verb of rule.verbs)
        for (const resourceNames of names)
          out.push({ apiGroups: [group], resources: [resource], verbs: [verb], resourceNames, nonResourceURLs: [] })
  for (const url of rule.nonResourceURLs)
    for (const verb of rule.verbs)
      out.push({ apiGroups: [], resources: [], verbs: [verb], resourceNames: [], nonResourceURLs: [url] })
  return out
}

/** A "*" is covered only by a "*". */
function covers(rule: Rule, atom: Rule): boolean {
  return (
    atom.verbs.every((verb) => holds(rule.verbs, verb)) &&
    atom.apiGroups.every((group) => holds(rule.apiGroups, group)) &&
    atom.resources.every((resource) => coversResource(rule.resources, resource)) &&
    atom.nonResourceURLs.every((url) => rule.nonResourceURLs.some((own) => coversPath(own, url))) &&
    (rule.resourceNames.length === 0 ||
      (atom.resourceNames.length > 0 && atom.resourceNames.every((name) => rule.resourceNames.includes(name))))
  )
}

function coversResource(resources: readonly string[], wanted: string): boolean {
  if (holds(resources, wanted)) return true
  const slash = wanted.indexOf('/')
  return slash >= 0 && resources.includes(`*${wanted.slice(slash)}`)
}

/** A line for each thing, its verbs together unless it is a path, in the order and the words of the API server's refusals. */
export function describeMissing(missing: readonly Rule[]): string {
  const compact = new Map<string, Rule>()
  for (const rule of missing) {
    const { verbs, ...thing } = rule
    const isPath = rule.nonResourceURLs.length > 0
    const key = JSON.stringify(isPath ? rule : thing)
    const known = isPath ? undefined : compact.get(key)
    compact.set(key, known ? { ...known, verbs: [...known.verbs, ...verbs] } : rule)
  }
  const lines = new Set([...compact.values()].map(describe))
  return [...lines].sort((a, b) => (a < b ? -1 : 1)).join('\n')
}

function describe(rule: Rule): string {
  const parts = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ] as const
  const said = parts.filter(([, values]) => values.length > 0).map(([name, values]) => `${name}:${quoteList(values)}`)
  return `{${said.join(', ')}}`
}

/** As Go prints a list with %q. */
export function quoteList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`
}
