/** Nothing is made in a namespace that is not there or that ends. */
import type { KubeObject } from '../../../kube/client.ts'
import { forbiddenRequest, notFound } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { type Admission, type AdmissionAttempt, shownName } from './admission.ts'

export function namespaceAdmission(store: ObjectStore): Admission {
  return {
    async admit(attempt: AdmissionAttempt): Promise<KubeObject | undefined> {
      const { operation, namespace, resource, object } = attempt
      if (operation !== 'CREATE' || namespace === undefined) return object
      const found = store.get('namespaces', undefined, namespace)
      if (!found) throw notFound({ group: '', plural: 'namespaces' }, namespace)
      if (!found.metadata.deletionTimestamp) return object
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`
      const cause = {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      }
      throw forbiddenRequest(resource, shownName(attempt), why, [cause])
    },
  }
}
