import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { operation } from '../../../../contracts/request.ts'
import { inject } from '../../../../http/handler.ts'
import { TestServer } from '../../../../pipeline/test-server.ts'
import { openApiDocument } from './openapi-document.ts'

let server: TestServer
beforeEach(async () => {
  server = await TestServer.start()
})
afterEach(() => server.close())

type Any = any

async function read(query: string, token: string): Promise<Any> {
  const headers: Record<string, string> = token === '' ? {} : { 'X-Vault-Token': token }
  const path = `/v1/sys/internal/specs/openapi${query}`
  const answer = await inject(server.core.handler, { method: 'GET', path, headers })
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body)
}

const methods = ['get', 'post', 'patch', 'delete', 'head', 'put', 'options', 'trace']
const itemMembers = new Set([...methods, 'summary', 'description', 'parameters', 'servers'])
const schemaTypes = ['string', 'boolean', 'integer', 'number', 'array', 'object']

/** What the specification demands of a document such as ours: https://spec.openapis.org/oas/v3.0.2 */
function problems(document: Any): string[] {
  const found: string[] = []
  const ids = new Set<string>()
  const must = (good: unknown, what: string) => good || found.push(what)
  must(document.openapi === '3.0.2', 'openapi')
  must(typeof document.info?.title === 'string' && typeof document.info?.version === 'string', 'info')
  for (const [path, item] of Object.entries<Any>(document.paths)) {
    must(path.startsWith('/') && !path.includes('//') && !path.includes('...'), `path ${path}`)
    for (const name of Object.keys(item)) must(itemMembers.has(name) || name.startsWith('x-'), `${path} has ${name}`)
    const captured = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1])
    must(new Set(captured).size === captured.length, `${path}: repeated capture`)
    const declared = item.parameters.map((parameter: Any) => parameter.name)
    must(JSON.stringify([...captured].sort()) === JSON.stringify([...declared].sort()), `${path}: parameters`)
    for (const method of methods.filter((name) => name in item)) {
      const at = `${method} ${path}`
      const one = item[method]
      must(/^[A-Za-z0-9-]+$/.test(one.operationId) && !ids.has(one.operationId), `${at}: id ${one.operationId}`)
      ids.add(one.operationId)
      must(
        Object.keys(one.responses).every((status) => /^\d{3}$/.test(status)),
        `${at}: responses`,
      )
      must(
        Object.values<Any>(one.responses).every(({ description }) => description),
        `${at}: no description`,
      )
      must(!one.requestBody || method === 'post' || method === 'patch', `${at}: a body`)
      const parameters = [...item.parameters, ...one.parameters]
      must(new Set(parameters.map((p: Any) => `${p.in} ${p.name}`)).size === parameters.length, `${at}: repeated`)
      for (const parameter of parameters) {
        must(['path', 'query'].includes(parameter.in), `${at}: in`)
        must(parameter.in !== 'path' || parameter.required === true, `${at}: ${parameter.name} is not required`)
        found.push(...schemaProblems(parameter.schema, `${at} ${parameter.name}`))
      }
      for (const { schema } of Object.values<Any>(one.requestBody?.content ?? {})) {
        found.push(...schemaProblems(schema, at))
      }
      for (const requirement of one.security ?? []) {
        for (const name of Object.keys(requirement)) must(document.components.securitySchemes[name], `${at}: ${name}`)
      }
    }
  }
  return found
}

function schemaProblems(schema: Any, at: string): string[] {
  if (typeof schema !== 'object' || schema === null) return [`${at}: no schema`]
  const wrong = schema.type !== undefined && !schemaTypes.includes(schema.type) ? [`${at}: ${schema.type}`] : []
  const items = schema.type === 'array' && !schema.items ? [`${at}: items`] : []
  const inside = Object.entries<Any>(schema.properties ?? {}).flatMap(([name, one]) =>
    schemaProblems(one, `${at}.${name}`),
  )
  const missing = (schema.required ?? []).filter((name: string) => !(name in (schema.properties ?? {})))
  return [...wrong, ...items, ...inside, ...missing.map((name: string) => `${at}: required ${name}`)]
}

describe('the OpenAPI document', () => {
  it('is valid, for every route of the server and of its mounts', async () => {
    const document = await read('', server.root)
    expect(problems(document)).toEqual([])
    expect(Object.keys(document.paths).length).toBeGreaterThan(60)
    expect(document.paths['/sys/mounts/{path}'].post.requestBody.content['application/json'].schema.type).toBe('object')
    expect(document.paths['/sys/health']).toMatchObject({ 'x-vault-unauthenticated': true, get: { security: [] } })
    expect(document.paths).toHaveProperty('/test/row/{name}')
  })

  it('shows mounts only to those who can reach them', async () => {
    await server.policy('p', 'path "other/*" { capabilities = ["read"] }')
    for (const token of ['', await server.token(['p'])]) {
      const { paths } = await read('', token)
      expect(paths).toHaveProperty('/sys/seal-status')
      expect(Object.keys(paths).filter((path) => path.startsWith('/test/'))).toEqual([])
    }
  })

  it('may name mounts by parameters', async () => {
    const document = await read('?generic_mount_paths=true', server.root)
    expect(problems(document)).toEqual([])
    const item = document.paths['/{test_mount_path}/row/{name}']
    expect(item.parameters).toContainEqual({
      name: 'test_mount_path',
      in: 'path',
      required: true,
      description: 'Path that the backend was mounted at',
      schema: { type: 'string', default: 'test' },
    })
    expect(document.paths).toHaveProperty('/sys/mounts')
  })

  it('has both paths of a rest that may be empty, and one operation for GET', () => {
    const one = operation({ input: { a: { kind: 'int', description: 'A' } }, handle: async () => ({ kind: 'none' }) })
    const routes = [{ path: 'x/{rest...?}', summary: 'X', on: { read: one, list: one, scan: one } }]
    const document: Any = openApiDocument([{ path: 'm/', tag: 'secrets', routes }], '1')
    expect(Object.keys(document.paths)).toEqual(['/m/x/', '/m/x/{rest}'])
    expect(document.paths['/m/x/'].get.parameters.map(({ name }: Any) => name)).toEqual(['list', 'scan', 'a'])
    expect(problems(document)).toEqual([])
  })

  it('that is wrong fails this test', () => {
    const item = { parameters: [], get: { operationId: 'a b', responses: {}, parameters: [] } }
    const document = { openapi: '3.0.2', info: { title: 't', version: '1' }, paths: { '/a/{b}': item } }
    expect(problems(document)).toEqual(['/a/{b}: parameters', 'get /a/{b}: id a b'])
  })
})
