/** From definitions to served kinds: for as long as a definition exists, its versions are in the table. */
import type { KubeObject } from '../../../kube/client.ts'
import { age, ageColumn, nameColumn } from '../kinds/columns.ts'
import { dnsSubdomainProblem } from '../kinds/names.ts'
import type { Column, Resource, ResourceTable, ScalePaths } from '../resource.ts'
import { checkShape } from '../shapes/check-shape.ts'
import type { Shape } from '../shapes/shape.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { at, isTree, type Tree, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import { definitionCollection } from './definition-kind.ts'
import { parseJsonPath } from './json-path.ts'
import { fillSchemaDefaults, pruneObject } from './schema-pruning.ts'
import { shapeOfSchema } from './schema-shape.ts'
import { schemaProblems } from './schema-validation.ts'

/** Keeps `resources` in step with the definitions in `store`. Deleting one deletes its objects, whatever holds them. */
export function followDefinitions(store: ObjectStore, resources: ResourceTable, metadata: Shape): () => void {
  return store.subscribe((event) => {
    if (event.collection !== definitionCollection) return
    const group = textAt(event.object, 'spec', 'group') ?? ''
    const plural = textAt(event.object, 'spec', 'names', 'plural') ?? ''
    resources.removeCustom(group, plural)
    if (event.type === 'DELETED') {
      for (const object of store.list(`${plural}.${group}`)) store.remove(`${plural}.${group}`, object)
    } else {
      for (const resource of customResources(event.object, metadata)) resources.add(resource)
    }
  })
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
  const validate = (object: KubeObject) => schemaProblems(schema, withoutMetadata(object), '')
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
      return { wrongTypes: report.wrongTypes, unknown: [...report.unknown, ...pruneObject(schema, object)] }
    },
    fillDefaults: (object) => fillSchemaDefaults(schema, object),
    validate,
    validateStatus: validate,
    fieldValue: (object, field) => {
      const value = at(object, ...field.split('.'))
      return value === undefined || value === null ? '' : String(value)
    },
    toStored: (object) => ({ ...object, apiVersion: `${group}/${storage}` }),
    fromStored: (object) => ({ ...object, apiVersion: `${group}/${name}` }),
    ...(version['deprecated'] === true
      ? { deprecation: textAt(version, 'deprecationWarning') ?? `${group}/${name} ${kind} is deprecated` }
      : {}),
  }
}

const metadataOnly = (shape: Shape) => new Map([['metadata', { shape, retainKeys: false }]])

/** The schema may describe metadata only in ways that the common rules already hold. */
function withoutMetadata(object: KubeObject): Tree {
  const { metadata: _, ...rest } = object
  return { ...rest, metadata: {} }
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
  return own.length > 0 ? [nameColumn, ...own] : [nameColumn, ageColumn]
}

function cellOf(value: unknown, type: string, nowMs: number): unknown {
  if (value === undefined || value === null) return null
  if (type === 'date') return age(value, nowMs)
  if (type === 'string') return isTree(value) || Array.isArray(value) ? JSON.stringify(value) : String(value)
  return value
}
