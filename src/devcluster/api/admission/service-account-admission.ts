/**
 * Gives pods their service account and its token (k8s.io/kubernetes/plugin/pkg/admission/serviceaccount): an account by
 * name, and a projected volume with a token, the cluster's CA and the namespace in every container that has none.
 */
import type { KubeObject } from '../../../kube/client.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { forbiddenRequest } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { at, ensureTree, type Tree, textAt, treesAt } from '../tree.ts'
import type { Admission, AdmissionAttempt } from './admission.ts'

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const volumePrefix = 'kube-api-access-'
/** An hour and seven seconds: the number by which the API server knows these tokens. */
const tokenSeconds = 3607
export const rootCaName = 'kube-root-ca.crt'

export interface ServiceAccountAdmissionOptions {
  readonly store: ObjectStore
  readonly random: RandomBytes
}

export class ServiceAccountAdmission implements Admission {
  readonly #store: ObjectStore
  readonly #random: RandomBytes

  constructor(options: ServiceAccountAdmissionOptions) {
    this.#store = options.store
    this.#random = options.random
  }

  async admit(attempt: AdmissionAttempt): Promise<KubeObject | undefined> {
    const { object, operation, resource, subresource } = attempt
    if (!object || operation !== 'CREATE' || resource.collection !== 'pods' || subresource) return object
    const pod = structuredClone(object)
    const spec = ensureTree(pod, 'spec')
    const name = textAt(spec, 'serviceAccountName') || 'default'
    spec['serviceAccountName'] = name
    spec['serviceAccount'] = name
    const account = this.#store.get('serviceaccounts', attempt.namespace, name)
    if (!account)
      throw forbiddenRequest(
        resource,
        attempt.name,
        `error looking up service account ${attempt.namespace}/${name}: serviceaccount "${name}" not found`,
      )
    const mounts = at(spec, 'automountServiceAccountToken') ?? account['automountServiceAccountToken'] ?? true
    if (mounts === true) this.#mountToken(spec)
    if (!Array.isArray(spec['imagePullSecrets']) && Array.isArray(account['imagePullSecrets']))
      spec['imagePullSecrets'] = structuredClone(account['imagePullSecrets'])
    return pod
  }

  #mountToken(spec: Tree): void {
    const volumes = treesAt(spec, 'volumes')
    const known = volumes.map((volume) => textAt(volume, 'name') ?? '').find((name) => name.startsWith(volumePrefix))
    const name = known ?? volumePrefix + this.#suffix()
    let used = false
    for (const member of ['initContainers', 'containers']) {
      for (const container of treesAt(spec, member)) {
        const mounts = treesAt(container, 'volumeMounts')
        if (mounts.some((mount) => textAt(mount, 'mountPath') === mountPath)) continue
        container['volumeMounts'] = [...mounts, { name, readOnly: true, mountPath }]
        used = true
      }
    }
    if (used && known === undefined) spec['volumes'] = [...volumes, tokenVolume(name)]
  }

  #suffix(): string {
    const letters = 'bcdfghjklmnpqrstvwxz2456789'
    return [...this.#random(5)].map((byte) => letters[byte % letters.length]).join('')
  }
}

function tokenVolume(name: string): Tree {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: rootCaName, items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  }
}
