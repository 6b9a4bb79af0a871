/** The forms in which objects are answered: whole, as a table for kubectl, or just their metadata. */
import type { KubeObject } from '../../../kube/client.ts'
import { groupVersionOf, type Resource } from '../resource.ts'
import { notAcceptable } from '../status.ts'
import type { Tree } from '../tree.ts'
import type { ObjectList } from './object-reader.ts'

export type AnswerForm = 'object' | 'table' | 'metadata'

/** The first form of the Accept header that is spoken here. */
export function answerForm(accept: string | undefined): AnswerForm {
  const wanted = accept === undefined || accept.trim() === '' ? '*/*' : accept
  for (const part of wanted.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim())
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3)
    if (as === undefined) return 'object'
    if (as === 'Table' && parameters.includes('v=v1')) return 'table'
    if (as.startsWith('PartialObjectMetadata')) return 'metadata'
  }
  throw notAcceptable(['application/json'])
}

export interface Presenter {
  one(object: KubeObject): unknown
  list(list: ObjectList): unknown
  /** In a watch: column headings only once. */
  event(object: KubeObject): unknown
}

export function presenterFor(
  resource: Resource,
  form: AnswerForm,
  query: URLSearchParams,
  now: () => number,
): Presenter {
  if (form === 'object')
    return { one: (object) => object, list: (list) => listObject(resource, list), event: (object) => object }
  if (form === 'metadata') {
    const items = (list: ObjectList) => list.items.map(partial)
    return {
      one: partial,
      event: partial,
      list: (list) => ({
        kind: 'PartialObjectMetadataList',
        apiVersion: meta,
        metadata: listMeta(list),
        items: items(list),
      }),
    }
  }
  const include = query.get('includeObject') ?? 'Metadata'
  let headings = true
  const table = (objects: readonly KubeObject[], metadata: Tree, withColumns: boolean) => ({
    kind: 'Table',
    apiVersion: meta,
    metadata,
    columnDefinitions: withColumns ? columnDefinitions(resource) : [],
    rows: objects
      .filter((object) => object.metadata.uid !== undefined)
      .map((object) => row(resource, object, include, now())),
  })
  return {
    one: (object) => table([object], { resourceVersion: object.metadata.resourceVersion ?? '' }, true),
    list: (list) => table(list.items, listMeta(list), true),
    event: (object) => {
      const first = headings
      headings = false
      return table([object], { resourceVersion: object.metadata.resourceVersion ?? '' }, first)
    },
  }
}

const meta = 'meta.k8s.io/v1'

function listObject(resource: Resource, list: ObjectList): Tree {
  return {
    kind: resource.listKind,
    apiVersion: groupVersionOf(resource),
    metadata: listMeta(list),
    // Items of a typed list carry no type of their own; those of custom kinds do.
    items: resource.custom ? list.items : list.items.map(({ apiVersion: _, kind: __, ...item }) => item),
  }
}

function listMeta(list: ObjectList): Tree {
  return {
    resourceVersion: list.version,
    ...(list.continueToken ? { continue: list.continueToken } : {}),
    ...(list.remaining ? { remainingItemCount: list.remaining } : {}),
  }
}

function partial(object: KubeObject): Tree {
  return { kind: 'PartialObjectMetadata', apiVersion: meta, metadata: object.metadata }
}

function columnDefinitions(resource: Resource): Tree[] {
  return resource.columns.map(({ name, type, format = '', description = '', priority = 0 }) => ({
    name,
    type,
    format,
    description,
    priority,
  }))
}

function row(resource: Resource, object: KubeObject, include: string, nowMs: number): Tree {
  return {
    cells: resource.columns.map((column) => column.cell(object, nowMs) ?? null),
    ...(include === 'None' ? {} : { object: include === 'Object' ? object : partial(object) }),
  }
}
