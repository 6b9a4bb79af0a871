/** OpenAPI v3: an index of group-versions, each with its document under an address that changes with its content. */
import { createHash } from 'node:crypto'
import type { ApiRequest, ApiResponse } from '../../wire.ts'
import { type Discovery, type GroupVersion, subresourcesOf } from '../served-kind.ts'
import { schemaName } from './built-in-schemas.ts'
import { commonTypes, resourcePaths, reviewPath, subresourceType } from './kind-paths.ts'
import { SchemaSet } from './kind-schemas.ts'

interface Document {
  /** What it was made of. */
  readonly kinds: readonly unknown[]
  readonly text: string
  readonly hash: string
}

const info = {
  title: 'Kubernetes',
  version: 'v1.34.4',
  description:
    'Served by the embedded development cluster of Coffer. Types and rules of the built-in kinds are those of Kubernetes; its descriptions are not repeated here: read them at https://kubernetes.io/docs/reference/kubernetes-api/',
}
const root = '/openapi/v3'

export class OpenApiDocuments {
  readonly #discovery: Discovery
  readonly #documents = new Map<string, Document>()

  constructor(discovery: Discovery) {
    this.#discovery = discovery
  }

  /** The answer to a path at or below /openapi/v3; undefined: nothing is there. */
  answer(request: Pick<ApiRequest, 'path' | 'query' | 'headers'>): ApiResponse | undefined {
    const asked = request.path.slice(root.length).replace(/^\//, '')
    if (asked === '') return textOf(this.#index())
    const groupVersion = this.#groupVersions().get(asked)
    if (!groupVersion) return undefined
    const document = this.#document(asked, groupVersion)
    return answerTo(request, `${root}/${asked}`, document)
  }

  #index(): string {
    const paths = [...this.#groupVersions()].map(([path, groupVersion]) => {
      const { hash } = this.#document(path, groupVersion)
      return [path, { serverRelativeURL: `${root}/${path}?hash=${hash}` }] as const
    })
    return JSON.stringify({ paths: Object.fromEntries(paths.sort(([a], [b]) => (a < b ? -1 : 1))) })
  }

  #groupVersions(): Map<string, GroupVersion> {
    const { resources, reviews } = this.#discovery
    const all = [...resources.all(), ...reviews].map(({ group, version }) => ({ group, version }))
    return new Map(all.map((one) => [pathOf(one), one]))
  }

  #document(path: string, { group, version }: GroupVersion): Document {
    const here = (kind: GroupVersion) => kind.group === group && kind.version === version
    const resources = this.#discovery.resources.all().filter(here)
    const reviews = this.#discovery.reviews.filter(here)
    const kinds = [...resources, ...reviews]
    const known = this.#documents.get(path)
    if (known && known.kinds.length === kinds.length && known.kinds.every((kind, at) => kind === kinds[at]))
      return known
    const schemas = new SchemaSet()
    for (const resource of resources) {
      schemas.addKind(resource)
      for (const sub of subresourcesOf(resource)) {
        const type = sub.type === 'own' ? undefined : subresourceType(resource, sub)
        if (type) schemas.addBuiltIn(type, sub)
      }
    }
    for (const review of reviews) schemas.addBuiltIn(schemaName(review.type), review)
    for (const type of commonTypes) schemas.addBuiltIn(type)
    const prefix = `/${path}`
    const paths = [
      ...resources.flatMap((resource) => resourcePaths(resource, prefix)),
      ...reviews.map((review) => reviewPath(review, prefix)),
    ].sort(([a], [b]) => (a < b ? -1 : 1))
    const securitySchemes = { BearerToken: { type: 'apiKey', name: 'authorization', in: 'header' } }
    const text = JSON.stringify({
      openapi: '3.0.0',
      info,
      paths: Object.fromEntries(paths),
      components: { schemas: schemas.toTree(), securitySchemes },
    })
    const document = { kinds, text, hash: createHash('sha512').update(text).digest('hex').toUpperCase() }
    this.#documents.set(path, document)
    return document
  }
}

/** The path of a group-version, as the index names it. */
const pathOf = ({ group, version }: GroupVersion) => (group === '' ? `api/${version}` : `apis/${group}/${version}`)

function textOf(text: string, headers: Readonly<Record<string, string>> = {}): ApiResponse {
  return { status: 200, headers: { 'content-type': 'application/json', ...headers }, body: text }
}

/** An address with the right hash may be kept for ever; one with an old hash leads to the right one. */
function answerTo(
  { query, headers }: Pick<ApiRequest, 'query' | 'headers'>,
  path: string,
  { text, hash }: Document,
): ApiResponse {
  const etag = `"${hash}"`
  const asked = query.get('hash')
  const common = { etag, vary: 'Accept' }
  if (asked !== null && asked !== hash)
    return { status: 301, headers: { ...common, location: `${path}?hash=${hash}` }, body: '' }
  const said = asked === null ? common : { ...common, 'cache-control': 'public, immutable' }
  return headers['if-none-match'] === etag ? { status: 304, headers: said, body: '' } : textOf(text, said)
}
