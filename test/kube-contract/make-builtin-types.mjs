// Usage: node test/kube-contract/make-builtin-types.mjs <kubernetes>/api/openapi-spec <folder of api@v0.34.4, apimachinery@v0.34.4, …> > src/devcluster/api/shapes/builtin-types.gen.ts
import { readdirSync, readFileSync } from 'node:fs'
import { goFields } from './go-fields.mjs'

const [spec, modules] = process.argv.slice(2)
const definitions = JSON.parse(readFileSync(`${spec}/swagger.json`, 'utf8')).definitions
// Only the newer form of the document says what a key of a list is when it is missing.
const withDefaults = {}
for (const file of readdirSync(`${spec}/v3`))
  Object.assign(withDefaults, JSON.parse(readFileSync(`${spec}/v3/${file}`, 'utf8')).components.schemas)
const fieldsInGo = goFields(modules, 'v0.34.4')
const roots = [
  'api.core.v1.Namespace',
  'api.core.v1.Pod',
  'api.core.v1.Node',
  'api.core.v1.Secret',
  'api.core.v1.ConfigMap',
  'api.core.v1.ServiceAccount',
  'api.core.v1.Service',
  'api.core.v1.Event',
  'api.core.v1.Binding',
  'api.events.v1.Event',
  'api.apps.v1.Deployment',
  'api.apps.v1.ReplicaSet',
  'api.batch.v1.Job',
  'api.batch.v1.CronJob',
  'api.autoscaling.v1.Scale',
  'api.coordination.v1.Lease',
  'api.authentication.v1.TokenReview',
  'api.authentication.v1.TokenRequest',
  'api.authentication.v1.SelfSubjectReview',
  'api.authorization.v1.SubjectAccessReview',
  'api.authorization.v1.LocalSubjectAccessReview',
  'api.authorization.v1.SelfSubjectRulesReview',
  'api.authorization.v1.SelfSubjectAccessReview',
  'api.admissionregistration.v1.MutatingWebhookConfiguration',
  'api.admissionregistration.v1.ValidatingWebhookConfiguration',
  'apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
  'api.rbac.v1.Role',
  'api.rbac.v1.RoleBinding',
  'api.rbac.v1.ClusterRole',
  'api.rbac.v1.ClusterRoleBinding',
]
const special = {
  'apimachinery.pkg.apis.meta.v1.Time': 't',
  'apimachinery.pkg.apis.meta.v1.MicroTime': 'm',
  'apimachinery.pkg.api.resource.Quantity': 'q',
  'apimachinery.pkg.util.intstr.IntOrString': 'I',
  'apimachinery.pkg.apis.meta.v1.FieldsV1': '*',
  'apimachinery.pkg.runtime.RawExtension': '*',
  'apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps': '*',
}
const done = new Map(),
  queue = roots.map((r) => `io.k8s.${r}`)
const short = (ref) => {
  const n = ref.replace('io.k8s.', '')
  const p = n.split('.')
  const kind = p.pop()
  const version = p.pop()
  const group = p.pop()
  return `${group}.${version === 'v1' ? '' : `${version}.`}${kind}`
}
const typeOf = (s) => {
  if (s.$ref) {
    const ref = s.$ref.replace('#/definitions/', '')
    const sp = special[ref.replace('io.k8s.', '')]
    if (sp) return sp
    const d = definitions[ref]
    if (d.type === 'string') return 's'
    if (!d.properties && !d.type) return '*'
    queue.push(ref)
    return short(ref)
  }
  if (s.type === 'array') {
    const of = typeOf(s.items)
    const keys = s['x-kubernetes-list-map-keys']
    const mk = s['x-kubernetes-patch-merge-key']
    const strat = s['x-kubernetes-patch-strategy'] ?? ''
    const lt = s['x-kubernetes-list-type']
    let m = ''
    if (strat.includes('merge') && mk)
      m =
        keys && (keys.length > 1 || keys[0] !== mk)
          ? `${mk}/${keys.join(',')}`
          : lt === 'map' || !lt
            ? lt === 'map'
              ? mk
              : `${mk}/`
            : lt === 'atomic'
              ? `${mk}/`
              : mk
    else if (strat.includes('merge')) m = '='
    else if (lt === 'map') m = `/${keys.join(',')}`
    else if (lt === 'set') m = '/='
    return `${of}[${m}]`
  }
  if (s.type === 'object') {
    const atomic = s['x-kubernetes-map-type'] === 'atomic' ? '~' : ''
    return s.additionalProperties ? `${typeOf(s.additionalProperties)}{${atomic}}` : '*'
  }
  if (s.type === 'string') return s.format === 'byte' ? 'B' : 's'
  if (s.type === 'integer') return 'i'
  if (s.type === 'number') return 'n'
  if (s.type === 'boolean') return 'b'
  return '*'
}
// What is written of a field that nobody set: "+" its zero, "-" null; "=": its zero is not written.
const unset = (go, type) => {
  if (!go || go.omitZero) return ''
  const struct = !go.pointer && (/^[qI]$/.test(type) || definitions[longName(type)]?.properties)
  const time = !go.pointer && /^[tm]$/.test(type)
  if (struct) return '+'
  if (time) return '-'
  if (go.omitEmpty) return !go.pointer && /^[sinb]$/.test(type) ? '=' : ''
  return go.pointer || /[\]}*B]$/.test(type) ? '-' : '+'
}
const longNames = new Map()
const longName = (name) => longNames.get(name)
const listKeys = new Set(
  Object.values(definitions).flatMap((d) =>
    Object.values(d.properties ?? {}).flatMap((s) => {
      const of = s.items?.$ref?.replace('#/definitions/', '')
      const merged = s['x-kubernetes-patch-merge-key']
      const keys = s['x-kubernetes-list-map-keys'] ?? (merged ? [merged] : [])
      return of ? keys.map((key) => `${of} ${key}`) : []
    }),
  ),
)
// A key that an item of a list may leave out: "@" and what it is then.
const keyDefault = (ref, field) => {
  const value = listKeys.has(`${ref} ${field}`) ? withDefaults[ref]?.properties?.[field]?.default : undefined
  return value === undefined ? '' : `@${value}`
}
while (queue.length) {
  const ref = queue.shift()
  const name = short(ref)
  if (done.has(name)) continue
  done.set(name, '')
  longNames.set(name, ref)
  const d = definitions[ref]
  const [kind, version, group] = ref.split('.').reverse()
  const go = fieldsInGo(group, version, kind)
  const fields = Object.entries(d.properties ?? {}).map(([k, s]) => {
    const type = typeOf(s)
    const retained = (s['x-kubernetes-patch-strategy'] ?? '').includes('retainKeys') ? '!' : ''
    const struct = s.$ref?.replace('#/definitions/', '')
    if (struct) longNames.set(type, struct)
    return `${k}:${type}${retained}${unset(go.get(k), type)}${keyDefault(ref, k)}`
  })
  done.set(name, (d['x-kubernetes-map-type'] === 'atomic' ? '~ ' : '') + fields.join(' '))
}
const lines = [...done].sort(([a], [b]) => (a < b ? -1 : 1)).map(([n, f]) => `  '${n}': '${f}',`)
console.log(
  `/** The fields of the built-in kinds, one line per type, made from Kubernetes 1.34's OpenAPI document by test/kube-contract/make-builtin-types.mjs; built-in-shapes.ts has the grammar. */\nexport const builtinTypes: Readonly<Record<string, string>> = {\n${lines.join('\n')}\n}`,
)
