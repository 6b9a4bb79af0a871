/** From definitions to served kinds: for as long as a definition exists, its versions are in the table. */
import type { KubeObject } from '../../../kube/client.ts'
import { byPriority } from '../discovery/discovery.ts'
import { age, ageColumn, nameColumn } from '../kinds/columns.ts'
import { dnsSubdomainProblem } from '../kinds/names.ts'
import type { Column, Resource, ResourceTable, ScalePaths } from '../resource.ts'
import { checkShape } from '../shapes/check-shape.ts'
import type { Shape } from '../shapes/shape.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { at, equal, isTree, type Tree, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import { definitionStatus } from './definition/definition-status.ts'
import { definitionCollection } from './definition-kind.ts'
import { parseJsonPath } from './json-path.ts'
import { fillSchemaDefaults, pruneObject } from './schema-pruning.ts'
import { shapeOfSchema } from './schema-shape.ts'
import { objectValidator } from './validation/object-validation.ts'

/** Keeps `resources` and the status of definitions in step with the definitions in `store`. Deleting one deletes its objects, whatever holds them. */
export function followDefinitions(
  store: ObjectStore,
  resources: ResourceTable,
  tools: { readonly metadata: Shape; readonly now: () => string },
): () => void {
  return store.subscribe((event) => {
    if (event.collection !== definitionCollection) return
    const group = textAt(event.object, 'spec', 'group') ?? ''
    const plural = textAt(event.object, 'spec', 'names', 'plural') ?? ''
    resources.removeCustom(group, plural)
    if (event.type === 'DELETED') {
      for (const object of store.list(`${plural}.${group}`)) store.remove(`${plural}.${group}`, object)
    } else if (isEstablished(event.object)) {
      for (const resource of customResources(event.object, tools.metadata)) resources.add(resource)
    }
    // After whoever listens has heard of this change.
    queueMicrotask(() => settleNames(store, group, tools.now))
  })
}

const isEstablished = (definition: KubeObject) =>
  treesAt(definition, 'status', 'conditions').some((c) => c['type'] === 'Established' && c['status'] === 'True')

/** Gives the definitions of a group the names that are free, in the order of their making. */
function settleNames(store: ObjectStore, group: string, now: () => string): void {
  const all = store.list(definitionCollection).filter((definition) => textAt(definition, 'spec', 'group') === group)
  for (const definition of all) {
    const others = all.filter((other) => other.metadata.name !== definition.metadata.name)
    const status = definitionStatus(definition, definition, others, now())
    // Others' names change with this one's: the store calls again.
    if (!equal(status, definition['status'])) {
      store.put(
        definitionCollection,
        { ...definition, status: { ...treeAt(definition, 'status'), ...status } },
        definition,
      )
      return
    }
  }
}

function customResources(definition: KubeObject, metadata: Shape): Resource[] {
  const versions = treesAt(definition, 'spec', 'versions')
  const storage =
    textAt(
      versions.find((version) => version['storage'] === true),
      'name',
    ) ?? ''
  return versions
    .filter((version) => version['served'] === true)
    .map((version) => customResource(definition, version, storage, metadata))
}

function customResource(definition: KubeObject, version: Tree, storage: string, metadata: Shape): Resource {
  const spec = treeAt(definition, 'spec') ?? {}
  const group = textAt(spec, 'group') ?? ''
  const names = treeAt(spec, 'names') ?? {}
  const schema = treeAt(version, 'schema', 'openAPIV3Schema') ?? {}
  const name = textAt(version, 'name') ?? ''
  const kind = textAt(names, 'kind') ?? ''
  const plural = textAt(names, 'plural') ?? ''
  const validator = objectValidator(schema, version)
  const read = reader(schema, (object) => ({ ...object, apiVersion: `${group}/${name}` }))
  const fields = treesAt(version, 'selectableFields').map((field) => (textAt(field, 'jsonPath') ?? '').slice(1))
  return {
    group,
    version: name,
    plural,
    singular: textAt(names, 'singular') ?? '',
    kind,
    listKind: textAt(names, 'listKind') ?? `${kind}List`,
    shortNames: textsAt(names, 'shortNames'),
    categories: textsAt(names, 'categories'),
    namespaced: textAt(spec, 'scope') === 'Namespaced',
    collection: `${plural}.${group}`,
    shape: shapeOfSchema(schema, metadata),
    shapeIn: (apiVersion) => {
      const other = treesAt(spec, 'versions').find((each) => `${group}/${textAt(each, 'name')}` === apiVersion)
      return other && shapeOfSchema(treeAt(other, 'schema', 'openAPIV3Schema') ?? {}, metadata)
    },
    schema,
    subresources: { status: treeAt(version, 'subresources', 'status') !== undefined, ...scaleOf(version) },
    columns: columnsOf(version),
    generation: 'all',
    unconditionalUpdate: false,
    selectableFields: fields,
    custom: true,
    nameProblem: dnsSubdomainProblem,
    decode: (object) => {
      const meta = treeAt(object, 'metadata') ?? {}
      const report = checkShape({ metadata: meta }, { kind: 'struct', atomic: false, fields: metadataOnly(metadata) })
      // Go reads them apart from the rest.
      const wrongTypes = report.wrongTypes.map((words) => words.replace(/(Go struct field \w+)\.metadata\./, '$1.'))
      return { wrongTypes, unknown: [...report.unknown, ...pruneObject(schema, object)] }
    },
    fillDefaults: (object) => fillSchemaDefaults(schema, object),
    validate: validator.whole,
    validateStatus: validator.status,
    fieldValue: (object, field) => {
      const value = at(object, ...field.split('.'))
      return value === undefined || value === null ? '' : String(value)
    },
    toStored: (object) => ({ ...object, apiVersion: `${group}/${storage}` }),
    fromStored: read,
    ...(version['deprecated'] === true
      ? { deprecation: textAt(version, 'deprecationWarning') ?? deprecationOf(definition, name) }
      : {}),
  }
}

const metadataOnly = (shape: Shape) => new Map([['metadata', { shape, retainKeys: false }]])

/** Names the newest version to use instead. */
function deprecationOf(definition: KubeObject, name: string): string {
  const group = textAt(definition, 'spec', 'group') ?? ''
  const kind = textAt(definition, 'spec', 'names', 'kind') ?? ''
  const [better] = treesAt(definition, 'spec', 'versions')
    .filter((version) => version['served'] === true && version['deprecated'] !== true)
    .map((version) => textAt(version, 'name') ?? '')
    .filter((other) => byPriority(other, name) < 0)
    .sort(byPriority)
  return `${group}/${name} ${kind} is deprecated${better === undefined ? '' : `; use ${group}/${better} ${kind}`}`
}

/**
 * What is stored is shown as the definition has it now: without what it no longer names, with defaults that came later.
 * Stored objects never change, so each is converted once.
 */
function reader(schema: Tree, rename: (object: KubeObject) => KubeObject): (stored: KubeObject) => KubeObject {
  const known = new WeakMap<KubeObject, KubeObject>()
  return (stored) => {
    const cached = known.get(stored)
    if (cached) return cached
    const shown = structuredClone(rename(stored))
    pruneObject(schema, shown)
    fillSchemaDefaults(schema, shown)
    known.set(stored, shown)
    return shown
  }
}

function scaleOf(version: Tree): { scale?: ScalePaths } {
  const scale = treeAt(version, 'subresources', 'scale')
  if (!scale) return {}
  const path = (member: string) => (textAt(scale, member) ?? '').split('.').filter((step) => step !== '')
  const selector = path('labelSelectorPath')
  return {
    scale: {
      specReplicasPath: path('specReplicasPath'),
      statusReplicasPath: path('statusReplicasPath'),
      ...(selector.length > 0 ? { labelSelectorPath: selector } : {}),
    },
  }
}

function columnsOf(version: Tree): readonly Column[] {
  const own = treesAt(version, 'additionalPrinterColumns').map((printed): Column => {
    const find = parseJsonPath(textAt(printed, 'jsonPath') ?? '')
    const type = textAt(printed, 'type') ?? 'string'
    const priority = printed['priority']
    return {
      name: textAt(printed, 'name') ?? '',
      type,
      format: textAt(printed, 'format') ?? '',
      description: textAt(printed, 'description') ?? '',
      priority: typeof priority === 'number' ? priority : 0,
      cell: (object, nowMs) => cellOf(find?.([object])[0], type, nowMs),
    }
  })
  // Of a kind that prints nothing of its own the age is a time.
  return own.length > 0 ? [nameColumn, ...own] : [nameColumn, { ...ageColumn, type: 'date' }]
}

function cellOf(value: unknown, type: string, nowMs: number): unknown {
  if (value === undefined || value === null) return null
  if (type === 'date') return age(value, nowMs)
  if (type === 'string') return isTree(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)
  return value
}
