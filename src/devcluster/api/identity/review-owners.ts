/** The owners of the fields of a question: whoever asks it. */
import type { KubeObject, ManagedFieldsEntry } from '../../../kube/client.ts'
import { emptySet } from '../patch/fields/field-set.ts'
import { recordUpdate } from '../patch/managed-fields.ts'
import { managerOf, type RequestContext } from '../requests/context.ts'
import { timestamp } from '../requests/object-writer.ts'
import { groupVersionOf, type Resource } from '../resource.ts'

export function ownersOfQuestion(
  resource: Resource,
  question: KubeObject,
  request: Pick<RequestContext, 'query' | 'headers'>,
  more: { readonly nowMs: number; readonly subresource?: string },
): ManagedFieldsEntry[] | undefined {
  const { nowMs, subresource } = more
  const mark = {
    manager: managerOf(request),
    operation: 'Update',
    apiVersion: groupVersionOf(resource),
    time: timestamp(nowMs),
    ...(subresource === undefined ? {} : { subresource }),
  } as const
  return recordUpdate(undefined, question, { mark, shapeIn: () => resource.shape, reset: emptySet() })
}
