/** By what rules a write changes managedFields. */
import { fieldStep } from '../patch/fields/field-path.ts'
import { setOf } from '../patch/fields/field-set.ts'
import type { OwnershipRules } from '../patch/managed-fields.ts'
import { groupVersionOf, type Resource } from '../resource.ts'

/** What the endpoint of a kind leaves as it was, whatever the client sends. */
export function untouchedBy(resource: Resource, subresource: string | undefined): readonly (readonly string[])[] {
  if (subresource === 'status') return [['spec'], ...(resource.statusLeaves ?? [])]
  return resource.subresources.status && subresource === undefined ? [['status']] : []
}

export interface Writer {
  readonly resource: Resource
  readonly subresource: string | undefined
  readonly manager: string
}

export function ownershipRules({ resource, subresource, manager }: Writer, time: string): OwnershipRules {
  const apiVersion = groupVersionOf(resource)
  return {
    mark: {
      manager,
      operation: 'Update',
      apiVersion,
      time,
      ...(subresource === undefined ? {} : { subresource }),
    },
    shapeIn: (version) =>
      version === apiVersion ? resource.shape : resource.shapeIn ? resource.shapeIn(version) : resource.shape,
    reset: setOf(...untouchedBy(resource, subresource).map((path) => path.map(fieldStep))),
  }
}
