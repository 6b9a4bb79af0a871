/** `?help=1` and HELP: what a path is for, from its route. */
import type { JsonObject } from '../../../lib/json/value.ts'
import type { Fields } from '../../contracts/fields.ts'
import type { Operation, Route } from '../../contracts/request.ts'

const methods: Readonly<Record<string, string>> = {
  read: 'get',
  list: 'get',
  scan: 'get',
  update: 'post',
  patch: 'patch',
  delete: 'delete',
  head: 'head',
}

/** Shown instead of an envelope: {help, see_also, openapi}. */
export function helpFor(path: string, route: Route): JsonObject {
  const lines = [`Request:        ${path}`, `Matching Route: ${route.path}`, '', route.summary]
  const fields = new Map(Object.values(route.on).flatMap((operation) => Object.entries(fieldsOf(operation))))
  if (fields.size > 0) {
    lines.push('', '## PARAMETERS', '')
    for (const [name, field] of [...fields].sort(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(`    ${name} (${field.kind})`, '', `        ${field.description}`, '')
    }
  }
  return { help: `${lines.join('\n').trimEnd()}\n`, see_also: null, openapi: openApi(route) }
}

const fieldsOf = (operation: Operation): Fields => (operation.input === 'free' ? {} : operation.input)

function openApi(route: Route): JsonObject {
  const operations = Object.entries(route.on).map(([verb, operation]) => [
    methods[verb] ?? verb,
    {
      summary: route.summary,
      ...(operation.input === 'free' || verb === 'read' || verb === 'list'
        ? {}
        : { requestBody: { content: { 'application/json': { schema: schemaOf(operation.input) } } } }),
      responses: { '200': { description: 'OK' } },
    },
  ])
  return {
    openapi: '3.0.2',
    info: { title: 'Coffer', description: 'HTTP API', version: '1' },
    paths: { [`/${route.path.replace(/\.\.\.\??\}/g, '}')}`]: Object.fromEntries(operations) },
  }
}

function schemaOf(fields: Fields): JsonObject {
  const properties = Object.entries(fields).map(([name, field]) => [name, { description: field.description }])
  return { type: 'object', properties: Object.fromEntries(properties) }
}
