// Usage: node test/kube-contract/make-builtin-types.mjs <kubernetes>/api/openapi-spec/swagger.json > src/devcluster/api/shapes/builtin-types.gen.ts
import { readFileSync } from 'node:fs'

const definitions = JSON.parse(readFileSync(process.argv[2], 'utf8')).definitions
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
  'api.autoscaling.v1.Scale',
  'api.coordination.v1.Lease',
  'api.authentication.v1.TokenReview',
  'api.authentication.v1.TokenRequest',
  'api.authentication.v1.SelfSubjectReview',
  'api.authorization.v1.SubjectAccessReview',
  'api.authorization.v1.SelfSubjectAccessReview',
  'api.admissionregistration.v1.MutatingWebhookConfiguration',
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
  if (s.type === 'object') return s.additionalProperties ? `${typeOf(s.additionalProperties)}{}` : '*'
  if (s.type === 'string') return s.format === 'byte' ? 'B' : 's'
  if (s.type === 'integer') return 'i'
  if (s.type === 'number') return 'n'
  if (s.type === 'boolean') return 'b'
  return '*'
}
while (queue.length) {
  const ref = queue.shift()
  const name = short(ref)
  if (done.has(name)) continue
  done.set(name, '')
  const d = definitions[ref]
  const fields = Object.entries(d.properties ?? {}).map(
    ([k, s]) => `${k}:${typeOf(s)}${(s['x-kubernetes-patch-strategy'] ?? '').includes('retainKeys') ? '!' : ''}`,
  )
  done.set(name, (d['x-kubernetes-map-type'] === 'atomic' ? '~ ' : '') + fields.join(' '))
}
const lines = [...done].sort(([a], [b]) => (a < b ? -1 : 1)).map(([n, f]) => `  '${n}': '${f}',`)
console.log(
  `/** The fields of the built-in kinds, one line per type, made from Kubernetes 1.34's OpenAPI document by test/kube-contract/make-builtin-types.mjs; built-in-shapes.ts has the grammar. */\nexport const builtinTypes: Readonly<Record<string, string>> = {\n${lines.join('\n')}\n}`,
)
