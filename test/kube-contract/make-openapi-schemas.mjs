// Usage: KUBECONFIG=<of a real control plane> node test/kube-contract/make-openapi-schemas.mjs <kubectl> > src/devcluster/api/discovery/openapi/openapi-schemas.gen.ts
// What a real API server's OpenAPI documents say of the kinds that the embedded API serves, without a sentence of theirs.
// A line that does not read back as what it was made of ends the run.
import { execFileSync } from 'node:child_process'
import { isDeepStrictEqual } from 'node:util'

const documents = {
  'api/v1': 'Namespace Pod Node Secret ConfigMap ServiceAccount Service Event',
  'apis/events.k8s.io/v1': 'Event',
  'apis/apps/v1': 'Deployment ReplicaSet',
  'apis/batch/v1': 'Job CronJob',
  'apis/coordination.k8s.io/v1': 'Lease',
  'apis/admissionregistration.k8s.io/v1': 'MutatingWebhookConfiguration ValidatingWebhookConfiguration',
  'apis/apiextensions.k8s.io/v1': 'CustomResourceDefinition',
  'apis/rbac.authorization.k8s.io/v1': 'Role RoleBinding ClusterRole ClusterRoleBinding',
  'apis/authentication.k8s.io/v1': '',
  'apis/authorization.k8s.io/v1': '',
}
const alsoNeeded = [
  ...['Binding', 'Status', 'DeleteOptions', 'Patch', 'Eviction', 'Scale', 'TokenRequest', 'TokenReview'],
  ...['SelfSubjectReview', 'SubjectAccessReview', 'LocalSubjectAccessReview'],
  ...['SelfSubjectAccessReview', 'SelfSubjectRulesReview'],
]

const packages = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta.v1',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
  resource: 'io.k8s.apimachinery.pkg.api.resource',
  intstr: 'io.k8s.apimachinery.pkg.util.intstr',
  runtime: 'io.k8s.apimachinery.pkg.runtime',
}
const scalars = {
  s: { type: 'string' },
  i: { type: 'integer', format: 'int32' },
  l: { type: 'integer', format: 'int64' },
  n: { type: 'number', format: 'double' },
  b: { type: 'boolean' },
  B: { type: 'string', format: 'byte' },
  o: { type: 'object' },
}
const attributes = {
  lt: 'x-kubernetes-list-type',
  lk: 'x-kubernetes-list-map-keys',
  mt: 'x-kubernetes-map-type',
  mk: 'x-kubernetes-patch-merge-key',
  ps: 'x-kubernetes-patch-strategy',
}

const schemas = new Map()
const queue = []
for (const [path, kinds] of Object.entries(documents)) {
  const text = execFileSync(process.argv[2], ['get', '--raw', `/openapi/v3/${path}`], { maxBuffer: 1e8 })
  for (const [name, schema] of Object.entries(JSON.parse(text).components.schemas)) {
    schemas.set(name, bare(schema))
    const kind = name.split('.').at(-1)
    const group = path.split('/').at(-2).split('.')[0].replace(/^api$/, 'core')
    const wanted = kinds.split(' ').some((k) => k === kind || `${k}List` === kind)
    if ((wanted && shortName(name) === `${group}.${kind}`) || alsoNeeded.includes(kind)) queue.push(name)
  }
}
const lines = new Map()
for (let name = queue.shift(); name; name = queue.shift()) {
  if (lines.has(shortName(name))) continue
  const schema = schemas.get(name)
  const line = lineOf(schema)
  if (!isDeepStrictEqual(schemaOf(line), schema))
    throw new Error(`${name} does not read back: ${line}\n${JSON.stringify(schema)}\n${JSON.stringify(schemaOf(line))}`)
  lines.set(shortName(name), line)
  for (const [, ref] of JSON.stringify(schema).matchAll(/#\/components\/schemas\/([^"]+)/g)) queue.push(ref)
}
const written = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, line]) => `  '${name}': ${quoted(line)},`)
console.log(
  `/** The built-in types as Kubernetes 1.34's OpenAPI v3 documents describe them, without descriptions, made by test/kube-contract/make-openapi-schemas.mjs; openapi-schemas.ts has the grammar. */\nexport const openApiSchemas: Readonly<Record<string, string>> = {\n${written.join('\n')}\n}`,
)

function quoted(line) {
  return `'${line.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/** Without sentences, and without the kinds it stands for, which the server knows. */
function bare(schema) {
  if (Array.isArray(schema)) return schema.map(bare)
  if (typeof schema !== 'object' || schema === null) return schema
  const { 'x-kubernetes-group-version-kind': _, description, ...rest } = schema
  // What makes room for a sentence beside a reference.
  if (typeof description === 'string' && rest.allOf?.length === 1 && Object.keys(rest).length === 1)
    return rest.allOf[0]
  return Object.fromEntries(
    Object.entries(rest).flatMap(([key, value]) =>
      key === 'description' && typeof value === 'string'
        ? []
        : [[key, key === 'properties' ? mapped(value) : key === 'required' ? [...value].sort() : bare(value)]],
    ),
  )
}
function mapped(properties) {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, bare(schema)]))
}

function shortName(full) {
  const kind = full.split('.').at(-1)
  const found = Object.entries(packages).find(([, name]) => full === `${name}.${kind}`)
  if (found) return `${found[0]}.${kind}`
  const group = /^io\.k8s\.api\.(\w+)\.v1\.\w+$/.exec(full)?.[1]
  if (!group) throw new Error(`no short name for ${full}`)
  return `${group}.${kind}`
}
function fullName(short) {
  const [group, kind] = short.split('.')
  return `${packages[group] ?? `io.k8s.api.${group}.v1`}.${kind}`
}

function lineOf(schema) {
  const { type, properties, required, ...more } = schema
  if (type !== 'object' || !properties) return JSON.stringify(schema)
  const fields = Object.entries(properties).map(([name, field]) => fieldText(name, field, required?.includes(name)))
  const prefix = Object.keys(more).length > 0 ? [JSON.stringify(more)] : []
  return [...prefix, ...fields].join(' ')
}

function fieldText(name, field, required) {
  const own = Object.entries(attributes).flatMap(([letter, key]) =>
    field[key] === undefined ? [] : [`|${letter}:${[field[key]].flat().join(',')}`],
  )
  let prefix = ''
  let inner = field
  while (inner.items || inner.additionalProperties) {
    prefix += inner.items ? '[]' : '{}'
    inner = inner.items ?? inner.additionalProperties
  }
  const ref = inner.$ref ?? inner.allOf?.[0].$ref
  const scalar = Object.entries(scalars).find(([, s]) => s.type === inner.type && s.format === inner.format)?.[0]
  const base = ref ? `@${shortName(ref.split('/').at(-1))}` : (scalar ?? '?')
  const value = inner.default === undefined ? '' : `=${JSON.stringify(inner.default)}`
  const values = inner.enum ? `|e:${inner.enum.join(',')}` : ''
  return `${name}${required ? '!' : ''}:${prefix}${base}${value}${own.join('')}${values}`
}

function schemaOf(line) {
  if (line.startsWith('{') && !line.includes(' ')) {
    const whole = JSON.parse(line)
    if (whole.type || whole.oneOf || Object.keys(whole).length === 0) return whole
  }
  const parts = line.split(' ').filter((part) => part !== '')
  const more = parts[0]?.startsWith('{') ? JSON.parse(parts.shift()) : {}
  const properties = {}
  const required = []
  for (const part of parts) {
    const [, name, must, type, rest] = /^([^:!]+)(!?):([^|]*)(.*)$/.exec(part)
    if (must) required.push(name)
    properties[name] = fieldOf(type, rest)
  }
  return { type: 'object', ...(required.length > 0 ? { required: required.sort() } : {}), properties, ...more }
}

function fieldOf(type, rest) {
  const found = Object.fromEntries(
    rest
      .split('|')
      .flatMap((text) => (text === '' ? [] : [[text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1)]])),
  )
  const [, prefix, base, value] = /^((?:\[\]|\{\})*)([^=]+)(?:=(.*))?$/.exec(type)
  const $ref = base.startsWith('@') ? `#/components/schemas/${fullName(base.slice(1))}` : undefined
  let schema = {
    ...($ref ? (value === undefined && (prefix || rest === '') ? { $ref } : { allOf: [{ $ref }] }) : scalars[base]),
    ...(value === undefined ? {} : { default: JSON.parse(value) }),
    ...(found.e === undefined ? {} : { enum: found.e.split(',') }),
  }
  for (const step of (prefix.match(/\[\]|\{\}/g) ?? []).reverse())
    schema = step === '[]' ? { type: 'array', items: schema } : { type: 'object', additionalProperties: schema }
  for (const [letter, key] of Object.entries(attributes))
    if (found[letter] !== undefined) schema[key] = letter === 'lk' ? found[letter].split(',') : found[letter]
  return schema
}
