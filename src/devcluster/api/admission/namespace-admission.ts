/** Nothing is made in a namespace that is not there or that ends. */
import type { KubeObject } from '../../../kube/client.ts'
import { forbiddenRequest, notFound } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import type { Admission, AdmissionAttempt } from './admission.ts'

export function namespaceAdmission(store: ObjectStore): Admission {
  return {
    async admit({ operation, namespace, resource, name, object }: AdmissionAttempt): Promise<KubeObject | undefined> {
      if (operation !== 'CREATE' || namespace === undefined) return object
      const found = store.get('namespaces', undefined, namespace)
      if (!found) throw notFound({ group: '', plural: 'namespaces' }, namespace)
      if (found.metadata.deletionTimestamp)
        throw forbiddenRequest(
          resource,
          name,
          `unable to create new content in namespace ${namespace} because it is being terminated`,
        )
      return object
    },
  }
}
