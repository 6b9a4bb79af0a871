/** Rules for names, labels and annotations, in apimachinery's words (k8s.io/apimachinery/pkg/util/validation). */

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain = `${label}(\\.${label})*`
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelPattern = new RegExp(`^${label}$`)
const subdomainPattern = new RegExp(`^${subdomain}$`)
const qualifiedPattern = new RegExp(`^${qualified}$`)
const dns1035Pattern = /^[a-z]([-a-z0-9]*[a-z0-9])?$/

const regexNote = (pattern: string, ...examples: readonly string[]) =>
  ` (e.g. ${examples.map((e, i) => (i === 0 ? `'${e}'` : ` or '${e}'`)).join(', ')}, regex used for validation is '${pattern}')`

const tooLongName = (most: number) => `must be no more than ${most} characters`

export function dnsLabelProblem(name: string): string | undefined {
  if (name.length > 63) return tooLongName(63)
  if (labelPattern.test(name)) return undefined
  if (subdomainPattern.test(name)) return 'must not contain dots'
  return `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character${regexNote(label, 'my-name', '123-abc')}`
}

export function dnsSubdomainProblem(name: string): string | undefined {
  if (name.length > 253) return tooLongName(253)
  if (subdomainPattern.test(name)) return undefined
  return `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character${regexNote(subdomain, 'example.com')}`
}

export function dns1035Problem(name: string): string | undefined {
  if (name.length > 63) return tooLongName(63)
  if (dns1035Pattern.test(name)) return undefined
  return `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character${regexNote('[a-z]([-a-z0-9]*[a-z0-9])?', 'my-name', 'abc-123')}`
}

/** Names that only have to fit into one step of a path (RBAC). */
export function pathSegmentProblem(name: string): string | undefined {
  if (name === '.' || name === '..') return `may not be '${name}'`
  if (name.includes('/')) return "may not contain '/'"
  if (name.includes('%')) return "may not contain '%'"
  return undefined
}

/** The keys of labels and annotations: "app", "example.com/app". All that is wrong with one. */
export function qualifiedNameProblems(key: string): readonly string[] {
  const must = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character${regexNote(qualified, 'MyName', 'my.name', '123-abc')}`
  const parts = key.split('/')
  if (parts.length > 2)
    return [`a qualified name ${must} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  const name = parts.at(-1) ?? ''
  const out: string[] = []
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    const problem = prefix === '' ? 'must be non-empty' : dnsSubdomainProblem(prefix)
    if (problem) out.push(`prefix part ${problem}`)
  }
  if (name === '') out.push('name part must be non-empty')
  else if (name.length > 63) out.push(`name part ${tooLongName(63)}`)
  if (!qualifiedPattern.test(name)) out.push(`name part ${must}`)
  return out
}

export const qualifiedNameProblem = (key: string): string | undefined => qualifiedNameProblems(key)[0]

export function labelValueProblems(value: string): readonly string[] {
  const out = value.length > 63 ? [tooLongName(63)] : []
  if (value !== '' && !qualifiedPattern.test(value))
    out.push(
      `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character${regexNote(`(${qualified})?`, 'MyValue', 'my_value', '12345')}`,
    )
  return out
}

export const labelValueProblem = (value: string): string | undefined => labelValueProblems(value)[0]

/** The keys of Secrets and ConfigMaps. */
export function configKeyProblem(key: string): string | undefined {
  if (key.length > 253) return tooLongName(253)
  if (!/^[-._a-zA-Z0-9]+$/.test(key))
    return `a valid config key must consist of alphanumeric characters, '-', '_' or '.'${regexNote('[-._a-zA-Z0-9]+', 'key.name', 'KEY_NAME', 'key-name')}`
  if (key === '.') return "must not be '.'"
  if (key === '..') return "must not be '..'"
  return key.startsWith('..') ? "must not start with '..'" : undefined
}
