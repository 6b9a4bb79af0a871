// Usage: node test/kube-contract/make-protobuf-fields.mjs <folder of k8s.io Go modules> 0.34.4 [0.36.3] > src/devcluster/api/protobuf/protobuf-fields.gen.ts
// Numbers and types come from generated.proto; how Go writes a field as JSON (its name, omitempty, pointer or not, inlined)
// only stands in the Go source beside it. A second version is held against the first: a number that changed its meaning ends
// the run, fields that only the second has are named on stderr and left out, for a server of the first version drops them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const packages = {
  core: 'api:core/v1',
  apps: 'api:apps/v1',
  autoscaling: 'api:autoscaling/v1',
  batch: 'api:batch/v1',
  coordination: 'api:coordination/v1',
  events: 'api:events/v1',
  authentication: 'api:authentication/v1',
  authorization: 'api:authorization/v1',
  rbac: 'api:rbac/v1',
  admissionregistration: 'api:admissionregistration/v1',
  policy: 'api:policy/v1',
  apiextensions: 'apiextensions-apiserver:pkg/apis/apiextensions/v1',
  meta: 'apimachinery:pkg/apis/meta/v1',
}
/** What the embedded API takes as a body; everything below them follows. */
const roots = {
  core: 'Namespace Pod Node Secret ConfigMap ServiceAccount Service Event Binding',
  events: 'Event',
  apps: 'Deployment ReplicaSet',
  autoscaling: 'Scale',
  batch: 'Job CronJob',
  coordination: 'Lease',
  authentication: 'TokenReview TokenRequest SelfSubjectReview',
  authorization: 'SubjectAccessReview SelfSubjectAccessReview LocalSubjectAccessReview SelfSubjectRulesReview',
  admissionregistration: 'MutatingWebhookConfiguration ValidatingWebhookConfiguration',
  apiextensions: 'CustomResourceDefinition',
  rbac: 'Role RoleBinding ClusterRole ClusterRoleBinding',
  policy: 'Eviction',
  meta: 'DeleteOptions',
}
/** Messages with a JSON form of their own; the decoder knows each. */
const special = {
  'k8s.io.apimachinery.pkg.apis.meta.v1.Time': 't',
  'k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime': 'm',
  'k8s.io.apimachinery.pkg.api.resource.Quantity': 'q',
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': 'I',
  'k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1': 'R',
  'k8s.io.apimachinery.pkg.runtime.RawExtension': 'R',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON': 'R',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'A',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'O',
  'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'P',
  'k8s.io.api.authentication.v1.ExtraValue': 'X',
  'k8s.io.api.authorization.v1.ExtraValue': 'X',
}
const scalars = { string: 's', bytes: 'B', bool: 'b', int32: 'i', int64: 'i', double: 'd' }

const [, , folder, version, newer] = process.argv
const table = tableOf(version)
if (newer) compare(table, tableOf(newer))
const lines = [...table].sort(([a], [b]) => (a < b ? -1 : 1))
console.log(
  `/** The fields of the messages that clients send, by their numbers, made from Kubernetes ${version}'s generated.proto and Go types by test/kube-contract/make-protobuf-fields.mjs; field-table.ts has the grammar. */\nexport const protobufFields: Readonly<Record<string, string>> = {\n${lines.map(([name, fields]) => `  '${name}': '${[...fields.values()].join(' ')}',`).join('\n')}\n}`,
)

/** Line name -> field number -> its text. */
function tableOf(release) {
  const read = Object.entries(packages).map(([name, place]) => readPackage(release, name, place))
  const messages = new Map(read.flatMap((one) => [...one.messages]))
  const structs = new Map(read.flatMap((one) => [...one.structs]))
  const out = new Map()
  const queue = Object.entries(roots).flatMap(([name, kinds]) => kinds.split(' ').map((kind) => `${name}.${kind}`))
  // What JSON that stands for a schema, a truth or a list is made of.
  queue.push('apiextensions.JSONSchemaProps')
  for (let name = queue.shift(); name; name = queue.shift()) {
    if (out.has(name)) continue
    const fields = messages.get(name)
    const members = structs.get(name)
    if (!fields || (!members && fields.length > 0)) throw new Error(`no message or struct ${name} in ${release}`)
    const texts = new Map()
    for (const { number, type, repeated, map } of fields) {
      const member = members.get(number)
      if (!member) throw new Error(`${name} has a field ${number} that its Go struct has not`)
      if (type.includes('.')) queue.push(type)
      const written = `${type}${repeated ? '[]' : map ? '{}' : ''}`
      texts.set(number, `${number}:${member.name}:${written}${whenWritten(member, written)}`)
    }
    out.set(name, texts)
  }
  return out
}

/** '' always, '?' when it is not empty, '*' when it was sent, '>' its members stand in its place. */
function whenWritten({ inline, pointer, omitEmpty, omitZero }, type) {
  if (inline) return '>'
  if (pointer) return '*'
  const struct = /^([a-zA-Z]+\.\w+|[tmqIRAOP])$/.test(type)
  // omitempty never leaves out a struct.
  return omitZero || (omitEmpty && !struct) ? '?' : ''
}

function readPackage(release, name, place) {
  const [module, path] = place.split(':')
  const dir = join(folder, `${module}@v${release}`, path)
  const proto = readFileSync(join(dir, 'generated.proto'), 'utf8')
  const own = /^package (\S+);/m.exec(proto)?.[1]
  const messages = new Map()
  for (const [, message, body] of proto.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gm))
    messages.set(`${name}.${message}`, fieldsOf(body, own))
  const structs = new Map()
  for (const file of readdirSync(dir).filter((f) => /\.go$/.test(f) && !/(_test|generated.*)\.go$/.test(f)))
    for (const [, struct, body] of readFileSync(join(dir, file), 'utf8').matchAll(
      /^type (\w+) struct \{\n([\s\S]*?)^\}/gm,
    ))
      structs.set(`${name}.${struct}`, membersOf(body))
  return { messages, structs }
}

function fieldsOf(body, own) {
  const out = []
  for (const line of body.split('\n')) {
    const plain = /^ {2}(optional|repeated) (\S+) \w+ = (\d+)/.exec(line)
    const map = /^ {2}map<string, (\S+)> \w+ = (\d+)/.exec(line)
    if (plain)
      out.push({
        number: Number(plain[3]),
        type: typeName(plain[2], own),
        repeated: plain[1] === 'repeated',
        map: false,
      })
    else if (map) out.push({ number: Number(map[2]), type: typeName(map[1], own), repeated: false, map: true })
  }
  return out
}

function typeName(text, own) {
  if (scalars[text]) return scalars[text]
  const full = text.startsWith('.') ? text.slice(1) : text.includes('.') ? text : `${own}.${text}`
  if (special[full]) return special[full]
  const steps = full.split('.')
  const found = Object.keys(packages).find((name) => name === steps.at(-3))
  if (!found || steps.at(-2) !== 'v1') throw new Error(`a field of type ${full}, of no package that is read`)
  return `${found}.${steps.at(-1)}`
}

/** Number -> how Go writes it as JSON. */
function membersOf(body) {
  const out = new Map()
  for (const [, before, tags] of body.matchAll(/^\t(.*?)`(.*)`/gm)) {
    const json = /json:"([^"]*)"/.exec(tags)?.[1].split(',') ?? []
    const number = /protobuf:"[^,"]*,(\d+),/.exec(tags)?.[1]
    if (!number) continue
    const words = before.trim().split(/\s+/)
    out.set(Number(number), {
      name: json[0] === '' ? '-' : json[0],
      inline: json.includes('inline'),
      omitEmpty: json.includes('omitempty'),
      omitZero: json.includes('omitzero'),
      pointer: (words.at(-1) ?? '').startsWith('*'),
    })
  }
  return out
}

function compare(before, after) {
  for (const [name, fields] of before)
    for (const [number, text] of fields) {
      const now = after.get(name)?.get(number)
      const meaning = (t) => t?.replace(/[?*>]$/, '')
      if (now !== undefined && meaning(now) !== meaning(text)) throw new Error(`${name}: ${text} became ${now}`)
    }
  for (const [name, fields] of after)
    for (const [number, text] of fields)
      if (!before.get(name)?.has(number)) console.error(`only in ${newer}: ${name} ${text}`)
}
