/** OpenAPI 3.0.2 of mounted routes, as Vault's code generators and console read it. */
import type { JsonObject } from '../../../../../lib/json/value.ts'
import type { FieldKind, Fields } from '../../../../contracts/fields.ts'
import type { Operation, Route, Verb } from '../../../../contracts/request.ts'

export interface DescribedMount {
  /** With its trailing slash: "secret/". */
  readonly path: string
  /** Its tag: "secrets", "auth", "system", "identity". */
  readonly tag: string
  /** "{kv_mount_path}/" instead of `path`, with the name of the parameter. */
  readonly parameter?: { readonly name: string; readonly default: string }
  readonly routes: readonly Route[]
}

const methodOf: Readonly<Record<Verb, string>> = {
  read: 'get',
  list: 'get',
  scan: 'get',
  update: 'post',
  patch: 'patch',
  delete: 'delete',
  head: 'head',
}

const schemas: Readonly<Record<FieldKind, JsonObject>> = {
  string: { type: 'string' },
  lowerString: { type: 'string' },
  bool: { type: 'boolean' },
  int: { type: 'integer' },
  float: { type: 'number' },
  duration: { type: 'string', format: 'duration' },
  commaList: { type: 'array', items: { type: 'string' } },
  intList: { type: 'array', items: { type: 'integer' } },
  stringMap: { type: 'object', additionalProperties: { type: 'string' } },
  object: { type: 'object' },
  json: {},
}

export function openApiDocument(mounts: readonly DescribedMount[], version: string): JsonObject {
  const paths: Record<string, JsonObject> = {}
  const ids = new Set<string>()
  for (const mount of mounts) {
    for (const route of mount.routes) {
      for (const { path, params } of pathsOf(mount, route.path)) {
        paths[path] = pathItem(mount, route, path, params, (name) => unique(ids, name))
      }
    }
  }
  const sorted = Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)))
  return {
    openapi: '3.0.2',
    info: {
      title: 'Coffer',
      description: 'HTTP API, compatible with that of Vault and OpenBao. All paths are below `/v1/`.',
      version,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    paths: sorted,
    components: {
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Vault-Token' } },
    },
  }
}

/** A rest that may be empty is two paths: with it and without. */
function pathsOf(mount: DescribedMount, route: string): { path: string; params: readonly string[] }[] {
  const base = mount.parameter ? `/{${mount.parameter.name}}/` : `/${mount.path}`
  const full = (text: string) => {
    const path = `${base}${text.replace(/\.\.\.\??\}/g, '}')}`
    return { path, params: [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? '') }
  }
  const optional = /\{[a-z0-9_]+\.\.\.\?\}/i.exec(route)
  if (!optional) return [full(route)]
  return [full(route), full(route.replace(optional[0], '').replace(/\/\//g, '/'))]
}

function pathItem(
  mount: DescribedMount,
  route: Route,
  path: string,
  params: readonly string[],
  idOf: (name: string) => string,
): JsonObject {
  const operations = new Map<string, [Verb, Operation][]>()
  for (const [verb, operation] of entriesOf(route)) {
    const method = methodOf[verb]
    operations.set(method, [...(operations.get(method) ?? []), [verb, operation]])
  }
  const first = entriesOf(route).map(([, operation]) => operation)
  return {
    description: route.summary,
    parameters: params.map((name) => pathParameter(mount, name, first)),
    ...(first.length > 0 && first.every(({ access }) => access === 'sudo') ? { 'x-vault-sudo': true } : {}),
    ...(first.some(({ access }) => access === 'public') ? { 'x-vault-unauthenticated': true } : {}),
    ...(route.exists ? { 'x-vault-createSupported': true } : {}),
    ...Object.fromEntries(
      [...operations].map(([method, same]) => [method, methodItem(mount, route, path, params, same, idOf)]),
    ),
  }
}

const entriesOf = (route: Route): [Verb, Operation][] =>
  (Object.keys(methodOf) as Verb[]).flatMap((verb) => {
    const operation = route.on[verb]
    return operation ? [[verb, operation]] : []
  })

function pathParameter(mount: DescribedMount, name: string, operations: readonly Operation[]): JsonObject {
  const own = mount.parameter?.name === name ? mount.parameter : undefined
  const field = operations.map(({ input }) => (input === 'free' ? undefined : (input as Fields)[name])).find(Boolean)
  return {
    name,
    in: 'path',
    required: true,
    description: own ? 'Path that the backend was mounted at' : (field?.description ?? 'Captured from the path'),
    schema: own ? { type: 'string', default: own.default } : { type: 'string' },
  }
}

/** GET stands for read, list and scan: what they take is put together. */
function methodItem(
  mount: DescribedMount,
  route: Route,
  path: string,
  params: readonly string[],
  same: readonly (readonly [Verb, Operation])[],
  idOf: (name: string) => string,
): JsonObject {
  const [first] = same
  const verb = first?.[0] ?? 'read'
  const fields: Fields = Object.assign({}, ...same.map(([, { input }]) => (input === 'free' ? {} : input)))
  const own = Object.entries(fields).filter(([name]) => !params.includes(name))
  const writes = verb === 'update' || verb === 'patch'
  const listing = same.map(([name]) => name).filter((name) => name === 'list' || name === 'scan')
  const onlyListing = listing.length === same.length
  const isPublic = same.some(([, { access }]) => access === 'public' || access === 'optional')
  return {
    summary: route.summary,
    operationId: idOf(`${onlyListing ? 'list' : verb === 'update' ? 'write' : verb}${idPath(path)}`),
    tags: [mount.tag],
    parameters: [
      ...listing.map((name) => flagParameter(name, onlyListing && listing.length === 1)),
      ...(writes ? [] : own.map(([name, { description, kind }]) => queryParameter(name, description, kind))),
    ],
    ...(writes ? { requestBody: requestBody(verb, own, same) } : {}),
    responses: { [verb === 'delete' ? '204' : '200']: { description: verb === 'delete' ? 'empty body' : 'OK' } },
    ...(isPublic ? { security: [] } : { security: [{ token: [] }] }),
  }
}

const flagParameter = (name: string, required: boolean): JsonObject => ({
  name,
  in: 'query',
  required,
  description: `Must be set to \`true\` to ${name}`,
  schema: { type: 'string', ...(required ? { enum: ['true'] } : {}) },
})

const queryParameter = (name: string, description: string, kind: FieldKind): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: schemas[kind],
})

function requestBody(
  verb: Verb,
  own: readonly [string, Fields[string]][],
  same: readonly (readonly [Verb, Operation])[],
): JsonObject {
  const free = same.some(([, { input }]) => input === 'free')
  const required = own.filter(([, field]) => field.required).map(([name]) => name)
  const properties = own.map(([name, field]) => [
    name,
    {
      ...schemas[field.kind],
      description: field.description,
      ...(isPlain(field.default) ? { default: field.default } : {}),
      ...(field.deprecated ? { deprecated: true } : {}),
    },
  ])
  const schema: JsonObject = {
    type: 'object',
    ...(free ? { additionalProperties: true } : { properties: Object.fromEntries(properties) }),
    ...(required.length > 0 ? { required } : {}),
  }
  const type = verb === 'patch' ? 'application/merge-patch+json' : 'application/json'
  return { required: required.length > 0, content: { [type]: { schema } } }
}

const isPlain = (value: unknown): value is string | number | boolean =>
  (typeof value === 'string' && value !== '') || typeof value === 'boolean'

/** "/sys/policies/acl/{name}" -> "-sys-policies-acl-name". */
const idPath = (path: string) =>
  path
    .split('/')
    .filter((part) => part !== '')
    .map((part) => `-${part.replace(/[{}]/g, '').replace(/[^A-Za-z0-9-]/g, '-')}`)
    .join('')

function unique(ids: Set<string>, name: string): string {
  let id = name
  for (let i = 2; ids.has(id); i += 1) id = `${name}-${i}`
  ids.add(id)
  return id
}
