/**
 * Schemas of the built-in types, read from openapi-schemas.gen.ts. A line is a schema as JSON, or `name:type …` for a type
 * with members, before them in JSON what else is said of it. `!` after a name: required. A type is any number of `[]` (list)
 * and `{}` (map), then a letter (s i l n b B o) or `@` and the name of a line, then `=` and a default as JSON; after that
 * `|lt:` list type, `|lk:` list map keys, `|mt:` map type, `|mk:` patch merge key, `|ps:` patch strategy, `|e:` the values
 * that are allowed.
 */
import { isTree, type Tree } from '../../tree.ts'
import { openApiSchemas } from './openapi-schemas.gen.ts'

const scalars: Readonly<Record<string, Tree>> = {
  s: { type: 'string' },
  i: { type: 'integer', format: 'int32' },
  l: { type: 'integer', format: 'int64' },
  n: { type: 'number', format: 'double' },
  b: { type: 'boolean' },
  B: { type: 'string', format: 'byte' },
  o: { type: 'object' },
}

const packages: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta.v1',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
  resource: 'io.k8s.apimachinery.pkg.api.resource',
  intstr: 'io.k8s.apimachinery.pkg.util.intstr',
  runtime: 'io.k8s.apimachinery.pkg.runtime',
}

/** "core.Pod" as documents name it. */
export function schemaName(line: string): string {
  const dot = line.indexOf('.')
  const group = line.slice(0, dot)
  return `${packages[group] ?? `io.k8s.api.${group}.v1`}${line.slice(dot)}`
}

export const schemaRef = (name: string): Tree => ({ $ref: `#/components/schemas/${name}` })

const lines = new Map(Object.entries(openApiSchemas).map(([line, text]) => [schemaName(line), text]))

/** By its full name; undefined: no built-in type is called so. */
export function builtInSchema(name: string): Tree | undefined {
  const line = lines.get(name)
  return line === undefined ? undefined : readLine(line)
}

function readLine(line: string): Tree {
  if (line.startsWith('{') && !line.includes(' ')) return readJson(line)
  const [first = '', ...others] = line.split(' ')
  const more = first.startsWith('{') ? readJson(first) : {}
  const parts = first.startsWith('{') ? others : [first, ...others]
  const properties: Tree = {}
  const required: string[] = []
  for (const part of parts) {
    const colon = part.indexOf(':')
    const name = part.slice(0, part[colon - 1] === '!' ? colon - 1 : colon)
    if (part[colon - 1] === '!') required.push(name)
    properties[name] = fieldSchema(part.slice(colon + 1))
  }
  return { type: 'object', ...(required.length > 0 ? { required } : {}), properties, ...more }
}

function readJson(text: string): Tree {
  const value: unknown = JSON.parse(text)
  return isTree(value) ? value : {}
}

function fieldSchema(text: string): Tree {
  const [type = '', ...said] = text.split('|')
  const attributes = new Map(said.map((one) => [one.slice(0, 2), one] as const))
  const values = said.find((one) => one.startsWith('e:'))?.slice(2)
  const [, prefix = '', base = '', given] = /^((?:\[\]|\{\})*)([^=]+)(?:=(.*))?$/.exec(type) ?? []
  const plain = given === undefined && (prefix !== '' || said.length === 0)
  let schema: Tree = {
    ...(base.startsWith('@') ? reference(base.slice(1), plain) : scalars[base]),
    ...(given === undefined ? {} : { default: JSON.parse(given) }),
    ...(values === undefined ? {} : { enum: values.split(',') }),
  }
  for (const step of (prefix.match(/\[\]|\{\}/g) ?? []).reverse())
    schema = step === '[]' ? { type: 'array', items: schema } : { type: 'object', additionalProperties: schema }
  const value = (key: string) => attributes.get(key)?.slice(3)
  const [listType, keys, mapType, mergeKey, strategy] = ['lt', 'lk', 'mt', 'mk', 'ps'].map(value)
  return {
    ...schema,
    ...(keys === undefined ? {} : { 'x-kubernetes-list-map-keys': keys.split(',') }),
    ...(listType === undefined ? {} : { 'x-kubernetes-list-type': listType }),
    ...(mapType === undefined ? {} : { 'x-kubernetes-map-type': mapType }),
    ...(mergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
    ...(strategy === undefined ? {} : { 'x-kubernetes-patch-strategy': strategy }),
  }
}

/** Nothing may stand beside a reference, so what has more to say holds it in allOf. */
function reference(line: string, plain: boolean): Tree {
  const ref = schemaRef(schemaName(line))
  return plain ? ref : { allOf: [ref] }
}
