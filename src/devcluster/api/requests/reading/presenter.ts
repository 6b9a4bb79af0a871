/** The forms in which objects are answered: whole, as a table for kubectl, or just their metadata. */
import type { KubeObject } from '../../../../kube/client.ts'
import { groupVersionOf, type Resource } from '../../resource.ts'
import { badRequest, noSuchForm, notAcceptable, StatusError } from '../../status.ts'
import type { Tree } from '../../tree.ts'
import type { ObjectList } from './list-objects.ts'

export type FormKind = 'object' | 'table' | 'one-metadata' | 'list-metadata'

export interface AnswerForm {
  readonly kind: FormKind
  /** Of the form's own API group: v1, v1beta1. */
  readonly version: string
}

const forms: Readonly<Record<string, FormKind>> = {
  Table: 'table',
  PartialObjectMetadata: 'one-metadata',
  PartialObjectMetadataList: 'list-metadata',
}

/** The first form of the Accept header that is spoken here. */
export function answerForm(accept: string | undefined): AnswerForm {
  const wanted = accept === undefined || accept.trim() === '' ? '*/*' : accept
  let asked = false
  for (const part of wanted.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim())
    if (!['application/json', 'application/*', '*/*'].includes(type)) continue
    asked = true
    const parameter = (name: string) => parameters.find((p) => p.startsWith(`${name}=`))?.slice(name.length + 1)
    const as = parameter('as')
    if (as === undefined) return { kind: 'object', version: '' }
    const kind = Object.hasOwn(forms, as) ? forms[as] : undefined
    const version = parameter('v') ?? ''
    if (kind && ['v1', 'v1beta1'].includes(version) && parameter('g') === 'meta.k8s.io') return { kind, version }
  }
  throw asked ? noSuchForm(['application/json']) : notAcceptable(['application/json'])
}

export interface Presenter {
  one(object: KubeObject): unknown
  list(list: ObjectList): unknown
  /** In a watch: column headings only once. */
  event(object: KubeObject): unknown
  /** A frame that has only a version. */
  bookmark(object: KubeObject): unknown
}

export function presenterFor(
  resource: Resource,
  form: AnswerForm,
  query: URLSearchParams,
  now: () => number,
): Presenter {
  if (form.kind === 'object') {
    const same = (object: KubeObject) => object
    return { one: same, list: (list) => listObject(resource, list), event: same, bookmark: same }
  }
  return form.kind === 'table' ? tablePresenter(resource, form, query, now) : metadataPresenter(resource, form)
}

function metadataPresenter(resource: Resource, form: AnswerForm): Presenter {
  const apiVersion = `meta.k8s.io/${form.version}`
  const show = (object: KubeObject) => partial(object, apiVersion)
  const refused = (asked: string, is: string) =>
    new StatusError(406, 'NotAcceptable', `you requested ${asked}, but the requested object is ${is}`)
  return {
    one: (object) => {
      if (form.kind === 'one-metadata') return show(object)
      throw refused('PartialObjectMetadataList', `not a list (${goName(resource, resource.kind)})`)
    },
    event: show,
    bookmark: show,
    list: (list) => {
      if (form.kind === 'one-metadata')
        throw refused('PartialObjectMetadata', `a list (${goName(resource, resource.listKind)})`)
      return { kind: 'PartialObjectMetadataList', apiVersion, metadata: listMeta(list), items: list.items.map(show) }
    },
  }
}

/** How Go calls the type: "*core.ConfigMap". */
function goName(resource: Resource, kind: string): string {
  if (resource.custom) return `*unstructured.Unstructured${kind === resource.kind ? '' : 'List'}`
  const { group, errorGroup = group } = resource
  return `*${errorGroup === '' ? 'core' : (errorGroup.split('.')[0] ?? '')}.${kind}`
}

function tablePresenter(resource: Resource, form: AnswerForm, query: URLSearchParams, now: () => number): Presenter {
  const include = query.get('includeObject') || 'Metadata'
  if (!['None', 'Metadata', 'Object'].includes(include))
    throw badRequest(
      `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(include)}: must be 'Metadata', 'Object', 'None', or empty`,
    )
  const apiVersion = `meta.k8s.io/${form.version}`
  let headings = true
  const table = (objects: readonly KubeObject[], metadata: Tree, withColumns: boolean) => ({
    kind: 'Table',
    apiVersion,
    metadata,
    columnDefinitions: withColumns ? columnDefinitions(resource) : null,
    rows: objects.map((object) => row(resource, object, include, now(), apiVersion)),
  })
  const versionOnly = ({ metadata: { resourceVersion } }: KubeObject) => (resourceVersion ? { resourceVersion } : {})
  const event = (object: KubeObject) => {
    const first = headings
    headings = false
    return table([object], versionOnly(object), first)
  }
  return {
    one: (object) => table([object], versionOnly(object), true),
    list: (list) => {
      const whole = table(list.items, listMeta(list), true)
      return resource.emptyTable === 'null' && list.items.length === 0 ? { ...whole, rows: null } : whole
    },
    event,
    bookmark: event,
  }
}

function listObject(resource: Resource, list: ObjectList): Tree {
  return {
    kind: resource.listKind,
    apiVersion: groupVersionOf(resource),
    // Go writes out what the list of a custom kind does not have.
    metadata: resource.custom ? { continue: '', ...listMeta(list) } : listMeta(list),
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

function partial(object: KubeObject, apiVersion: string): Tree {
  return { kind: 'PartialObjectMetadata', apiVersion, metadata: object.metadata }
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

function row(resource: Resource, object: KubeObject, include: string, nowMs: number, apiVersion: string): Tree {
  const conditions = resource.rowConditions?.(object) ?? []
  return {
    cells: resource.columns.map((column) => column.cell(object, nowMs) ?? null),
    ...(conditions.length > 0 ? { conditions } : {}),
    object: include === 'None' ? null : include === 'Object' ? object : partial(object, apiVersion),
  }
}
