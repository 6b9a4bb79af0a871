/** What the server knows of one kind in one version, and the table of all of them. */
import type { KubeObject } from '../../kube/client.ts'
import type { FieldProblem } from './field-problem.ts'
import type { Shape } from './shapes/shape.ts'
import type { Tree } from './tree.ts'

export interface Column {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly description?: string
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority?: number
  cell(object: KubeObject, nowMs: number): unknown
}

export interface DecodeReport {
  /** Paths that the kind does not have; dropped. */
  readonly unknown: readonly string[]
  /** The document is not of this kind at all: 400. */
  readonly wrongTypes: readonly string[]
}

export interface Subresources {
  readonly status: boolean
  /** A new object keeps the status that came with it (Node). */
  readonly statusOnCreate?: 'kept'
  readonly scale?: ScalePaths
}
export interface ScalePaths {
  readonly specReplicasPath: readonly string[]
  readonly statusReplicasPath: readonly string[]
  readonly labelSelectorPath?: readonly string[]
}

/** A kind in one served version. The hooks get copies that they may change. */
export interface Resource {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly singular: string
  readonly kind: string
  readonly listKind: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
  /** Where its objects are kept: one collection for all versions. */
  readonly collection: string
  readonly shape: Shape
  /** What clients are told of its fields: a line of openapi-schemas.gen.ts, or a definition's schema. */
  readonly schema: string | Tree
  /** Of another version of the kind; undefined: there is none. Absent: all versions have the same. */
  shapeIn?(apiVersion: string): Shape | undefined
  /** Besides spec, what a write of the status leaves as it was. */
  readonly statusLeaves?: readonly (readonly string[])[]
  readonly subresources: Subresources
  readonly columns: readonly Column[]
  /** What a table says of an object besides its cells. */
  rowConditions?(object: KubeObject): readonly Tree[]
  /** What a table has of rows when there are none. */
  readonly emptyTable?: 'null'
  /** Whether metadata.generation counts changes of everything but metadata and status ("all") or of spec. */
  readonly generation: 'none' | 'spec' | 'all'
  /** PUT without resourceVersion overwrites. */
  readonly unconditionalUpdate: boolean
  /** Under which group its problems are reported, when that is another than its own. */
  readonly errorGroup?: string
  /** PUT of what is not there makes it. */
  readonly createOnUpdate?: boolean
  /** A deletion is answered with the object that was, not with a Status. */
  readonly answersDeleted?: boolean
  /** False: DELETE of the whole collection is refused. */
  readonly collectionDelete?: boolean
  /** Selectable besides metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[]
  /** A custom resource: no strategic merge. */
  readonly custom: boolean
  /** metadata.name's rule. */
  nameProblem(name: string): string | undefined
  /** Drops what the kind does not have. */
  decode(object: Tree): DecodeReport
  /** Fills what the client left out. */
  fillDefaults?(object: KubeObject): void
  /** Last changes of a new object (after admission). */
  prepareCreate?(object: KubeObject): void
  prepareUpdate?(object: KubeObject, before: KubeObject): void
  /** Of a change that came by the status subresource. */
  prepareStatus?(object: KubeObject, before: KubeObject): void
  /** Of a new object, told before what is wrong with its metadata; `alone`: then nothing else is. */
  readonly validateFirst?: { problems(object: KubeObject): readonly FieldProblem[]; readonly alone: boolean }
  /** Of an update, told before what `validate` finds. */
  validateChange?(object: KubeObject, before: KubeObject): readonly FieldProblem[]
  validate?(object: KubeObject, before: KubeObject | undefined): readonly FieldProblem[]
  /** Of a change that came by the status subresource. */
  validateStatus?(object: KubeObject, before: KubeObject): readonly FieldProblem[]
  /** What becomes of its dependents when a deletion does not say; in the background if absent. */
  readonly defaultPropagation?: 'Orphan'
  /** How long a deletion may take; 0: at once. */
  gracePeriodSeconds?(object: KubeObject, asked: number | undefined): number
  /** A selectable field's value. */
  fieldValue?(object: KubeObject, field: string): string
  toStored?(object: KubeObject): KubeObject
  fromStored?(object: KubeObject): KubeObject
  /** What the writer of such an object should know though it is taken. */
  warningsOf?(object: KubeObject, before: KubeObject | undefined): readonly string[]
  /** Of a deletion that does not say what becomes of its dependents. */
  readonly deletionWarning?: string
  /** A warning that every request of this version gets. */
  readonly deprecation?: string
}

export const groupVersionOf = (r: { group: string; version: string }) =>
  r.group === '' ? r.version : `${r.group}/${r.version}`

/** An object as a version of its kind shows it. */
export function externalOf(resource: Resource, stored: KubeObject): KubeObject {
  return resource.fromStored ? resource.fromStored(stored) : stored
}

export function storedOf(resource: Resource, object: KubeObject): KubeObject {
  return resource.toStored ? resource.toStored(object) : object
}

export function isKubeObject(value: Tree): value is Tree & KubeObject {
  return typeof value['apiVersion'] === 'string' && typeof value['kind'] === 'string' && value['metadata'] !== undefined
}

/** Built-in kinds, and custom ones for as long as their definition exists. */
export class ResourceTable {
  readonly #resources = new Map<string, Resource>()

  constructor(builtIn: readonly Resource[]) {
    for (const resource of builtIn) this.add(resource)
  }

  add(resource: Resource): void {
    this.#resources.set(keyOf(resource.group, resource.version, resource.plural), resource)
  }

  /** Takes away all custom versions of a kind. */
  removeCustom(group: string, plural: string): void {
    for (const [key, resource] of this.#resources)
      if (resource.custom && resource.group === group && resource.plural === plural) this.#resources.delete(key)
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#resources.get(keyOf(group, version, plural))
  }

  /** By what an object says of itself. */
  findKind(apiVersion: string, kind: string): Resource | undefined {
    return this.all().find((r) => r.kind === kind && groupVersionOf(r) === apiVersion)
  }

  /** Any version of a kind. */
  findCollection(collection: string): Resource | undefined {
    return this.all().find((resource) => resource.collection === collection)
  }

  all(): readonly Resource[] {
    return [...this.#resources.values()]
  }
}

const keyOf = (group: string, version: string, plural: string) => `${group}/${version}/${plural}`
