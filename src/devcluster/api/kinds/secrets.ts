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
    column('Data', 'integer', (secret) => Object.keys(treeAt(secret, 'data') ?? {}).length),
    ageColumn,
  ],
  selectableFields: ['type'],
  fillDefaults: (secret) => {
    setDefault(secret, 'type', 'Opaque')
    const plain = textMapAt(secret, 'stringData')
    delete secret['stringData']
    const data = { ...treeAt(secret, 'data') }
    for (const [key, value] of Object.entries(plain)) data[key] = Buffer.from(value).toString('base64')
    if (Object.keys(data).length > 0) secret['data'] = data
  },
  validate: (secret, before) => [
    ...keyProblems(secret, 'data'),
    ...sizeProblems(secret, ['data']),
    ...typeProblems(secret),
    ...(before && textAt(before, 'type') !== textAt(secret, 'type') ? [immutable('type', secret['type'])] : []),
    ...(before ? frozenProblems(secret, before, ['data']) : []),
  ],
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
    column('Data', 'integer', (map) => Object.keys({ ...treeAt(map, 'data'), ...treeAt(map, 'binaryData') }).length),
    ageColumn,
  ],
  validate: (map, before) => {
    const binary = treeAt(map, 'binaryData') ?? {}
    const twice = Object.keys(treeAt(map, 'data') ?? {}).filter((key) => Object.hasOwn(binary, key))
    return [
      ...keyProblems(map, 'data'),
      ...keyProblems(map, 'binaryData'),
      ...twice.map((key) => invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
      ...sizeProblems(map, ['data', 'binaryData']),
      ...(before ? frozenProblems(map, before, ['data', 'binaryData']) : []),
    ]
  },
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
  return bytes > maxBytes ? [tooLong(members[0] === 'data' && object.kind === 'Secret' ? 'data' : '', maxBytes)] : []
}

const neededKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
])

function typeProblems(secret: KubeObject): FieldProblem[] {
  const type = textAt(secret, 'type') ?? ''
  const data = treeAt(secret, 'data') ?? {}
  const missing = (neededKeys.get(type) ?? []).filter((key) => !Object.hasOwn(data, key))
  const out = missing.map((key) => required(`data[${key}]`))
  if (type === 'kubernetes.io/basic-auth' && !Object.hasOwn(data, 'username') && !Object.hasOwn(data, 'password'))
    out.push(required('data[username]'), required('data[password]'))
  if (type === 'kubernetes.io/service-account-token')
    out.push(
      forbidden(
        'type',
        'the development cluster makes no long-lived tokens; use a TokenRequest (kubectl create token)',
      ),
    )
  if (type.endsWith('dockerconfigjson') && missing.length === 0 && !isJsonObject(data['.dockerconfigjson']))
    out.push(invalid('data[.dockerconfigjson]', '<secret contents redacted>', 'unexpected end of JSON input'))
  return out
}

function isJsonObject(base64: unknown): boolean {
  if (typeof base64 !== 'string') return false
  try {
    return isTree(JSON.parse(Buffer.from(base64, 'base64').toString('utf8')))
  } catch {
    return false
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
