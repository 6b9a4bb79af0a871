/** Secrets and ConfigMaps. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, forbidden, immutable, invalid, required, tooLong } from '../field-problem.ts'
import { equal, isTree, setDefault, textAt, textMapAt, treeAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, nameColumn, textColumn } from './columns.ts'
import { configKeyProblem } from './names.ts'

const maxBytes = 1024 * 1024

export const secretKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  type: 'core.Secret',
  columns: [
    nameColumn,
    textColumn('Type', 'type'),
    column('Data', 'string', (secret) => Object.keys(treeAt(secret, 'data') ?? {}).length),
    ageColumn,
  ],
  selectableFields: ['type'],
  fillDefaults: (secret) => {
    if (secret['type'] === '') delete secret['type']
    setDefault(secret, 'type', 'Opaque')
    const plain = textMapAt(secret, 'stringData')
    delete secret['stringData']
    const data = { ...treeAt(secret, 'data') }
    for (const [key, value] of Object.entries(data))
      if (typeof value === 'string' && /[\r\n]/.test(value)) data[key] = value.replace(/[\r\n]/g, '')
    for (const [key, value] of Object.entries(plain)) data[key] = Buffer.from(value).toString('base64')
    if (Object.keys(data).length > 0) secret['data'] = data
  },
  warningsOf: pairWarnings,
  validateChange: (secret, before) => [
    ...(textAt(before, 'type') === textAt(secret, 'type') ? [] : [immutable('type', secret['type'])]),
    ...frozenProblems(secret, before, ['data']),
  ],
  validate: (secret) => [...keyProblems(secret, 'data'), ...sizeProblems(secret, ['data']), ...typeProblems(secret)],
}

export const configMapKind: BuiltInKind = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  type: 'core.ConfigMap',
  shortNames: ['cm'],
  columns: [
    nameColumn,
    column('Data', 'string', (map) => Object.keys({ ...treeAt(map, 'data'), ...treeAt(map, 'binaryData') }).length),
    ageColumn,
  ],
  validateChange: (map, before) => frozenProblems(map, before, ['data', 'binaryData']),
  validate: (map) => {
    const binary = treeAt(map, 'binaryData') ?? {}
    const twice = Object.keys(treeAt(map, 'data') ?? {}).filter((key) => Object.hasOwn(binary, key))
    return [
      ...keyProblems(map, 'data'),
      ...twice.map((key) => invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
      ...keyProblems(map, 'binaryData'),
      ...sizeProblems(map, ['data', 'binaryData']),
    ]
  },
}

/** Go's words for a pair that has nothing of what it should hold; what is in the PEM blocks is not looked at. */
function pairWarnings(secret: KubeObject): string[] {
  if (textAt(secret, 'type') !== 'kubernetes.io/tls') return []
  const hasBlock = (key: string) => Buffer.from(textAt(secret, 'data', key) ?? '', 'base64').includes('-----BEGIN ')
  const missing = !hasBlock('tls.crt') ? 'certificate' : hasBlock('tls.key') ? undefined : 'key'
  return missing ? [`tls: failed to find any PEM data in ${missing} input`] : []
}

function keyProblems(object: KubeObject, member: string): FieldProblem[] {
  return Object.keys(treeAt(object, member) ?? {}).flatMap((key) => {
    const why = configKeyProblem(key)
    return why ? [invalid(`${member}[${key}]`, key, why)] : []
  })
}

function sizeProblems(object: KubeObject, members: readonly string[]): FieldProblem[] {
  let bytes = 0
  for (const member of members) {
    const encoded = member === 'binaryData' || object.kind === 'Secret'
    for (const value of Object.values(textMapAt(object, member)))
      bytes += Buffer.byteLength(value, encoded ? 'base64' : 'utf8')
  }
  // A ConfigMap's path is empty, which Go prints as an empty list.
  return bytes > maxBytes ? [tooLong(object.kind === 'Secret' ? 'data' : '[]', maxBytes)] : []
}

const neededKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
])

function typeProblems(secret: KubeObject): FieldProblem[] {
  const type = textAt(secret, 'type') ?? ''
  const data = treeAt(secret, 'data') ?? {}
  const missing = (neededKeys.get(type) ?? []).filter((key) => !Object.hasOwn(data, key))
  const out = missing.map((key) => required(`data[${key}]`))
  if (type === 'kubernetes.io/basic-auth' && !Object.hasOwn(data, 'username') && !Object.hasOwn(data, 'password'))
    out.push(required('data[username]'), required('data[password]'))
  if (type === 'kubernetes.io/ssh-auth' && !data['ssh-privatekey']) out.push(required('data[ssh-privatekey]'))
  const account = secret.metadata.annotations?.['kubernetes.io/service-account.name']
  if (type === 'kubernetes.io/service-account-token' && !account)
    out.push(required('metadata.annotations[kubernetes.io/service-account.name]'))
  else if (type === 'kubernetes.io/service-account-token')
    out.push(
      forbidden(
        'type',
        'the development cluster makes no long-lived tokens; use a TokenRequest (kubectl create token)',
      ),
    )
  for (const [known, key] of dockerKeys) {
    const problem = type === known && missing.length === 0 ? jsonObjectProblem(data[key]) : undefined
    if (problem) out.push(invalid(`data[${key}]`, '<secret contents redacted>', problem))
  }
  return out
}

const dockerKeys = [
  ['kubernetes.io/dockercfg', '.dockercfg'],
  ['kubernetes.io/dockerconfigjson', '.dockerconfigjson'],
] as const

/** In the words of Go's decoder where it reads another type; its words for broken syntax are our own parser's. */
function jsonObjectProblem(base64: unknown): string | undefined {
  const text = typeof base64 === 'string' ? Buffer.from(base64, 'base64').toString('utf8') : ''
  if (text.trim() === '') return 'unexpected end of JSON input'
  try {
    const value: unknown = JSON.parse(text)
    if (value === null || isTree(value)) return undefined
    const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
    return `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`
  } catch (error) {
    return error instanceof Error ? error.message : 'not JSON'
  }
}

function frozenProblems(object: KubeObject, before: KubeObject, members: readonly string[]): FieldProblem[] {
  if (before['immutable'] !== true) return []
  const why = 'field is immutable when `immutable` is set'
  const out: FieldProblem[] = []
  if (object['immutable'] !== true) out.push(forbidden('immutable', why))
  for (const member of members) if (!equal(object[member], before[member])) out.push(forbidden(member, why))
  return out
}
