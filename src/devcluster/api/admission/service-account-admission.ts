/**
 * Gives pods their service account and its token (k8s.io/kubernetes/plugin/pkg/admission/serviceaccount): an account by
 * name, and a projected volume with a token, the cluster's CA and the namespace in every container that has none.
 */
import type { KubeObject } from '../../../kube/client.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import { fillByAdmission } from '../kinds/pods/pod-defaults.ts'
import { forbiddenRequest } from '../status.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { at, ensureTree, type Tree, textAt, treesAt } from '../tree.ts'
import { type Admission, type AdmissionAttempt, shownName } from './admission.ts'

const mountableAnnotation = 'kubernetes.io/enforce-mountable-secrets'
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
    if (!object || resource.collection !== 'pods' || subresource) return object
    const pod = structuredClone(object)
    const spec = ensureTree(pod, 'spec')
    fillByAdmission(spec)
    if (operation !== 'CREATE') return pod
    const name = textAt(spec, 'serviceAccountName') || 'default'
    spec['serviceAccountName'] = name
    spec['serviceAccount'] = name
    const account = this.#store.get('serviceaccounts', attempt.namespace, name)
    if (!account)
      throw forbiddenRequest(
        resource,
        shownName(attempt),
        `error looking up service account ${attempt.namespace}/${name}: serviceaccount "${name}" not found`,
      )
    if (treesAt(spec, 'imagePullSecrets').length === 0 && Array.isArray(account['imagePullSecrets']))
      spec['imagePullSecrets'] = structuredClone(account['imagePullSecrets'])
    if (account.metadata.annotations?.[mountableAnnotation] === 'true') {
      const refused = unlistedSecret(spec, account)
      if (refused) throw forbiddenRequest(resource, shownName(attempt), refused)
    }
    const mounts = at(spec, 'automountServiceAccountToken') ?? account['automountServiceAccountToken'] ?? true
    if (mounts === true) this.#mountToken(spec)
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

/** Why an account that lists its secrets does not let the pod have another. */
function unlistedSecret(spec: Tree, account: KubeObject): string | undefined {
  const { name = '' } = account.metadata
  const listed = treesAt(account, 'secrets').map((secret) => textAt(secret, 'name'))
  const other = secretUses(spec).find(({ secret }) => !listed.includes(secret))
  if (other)
    return `${other.use}="${other.secret}" is not allowed because service account ${name} does not reference that secret`
  const pulls = treesAt(account, 'imagePullSecrets').map((secret) => textAt(secret, 'name'))
  const index = treesAt(spec, 'imagePullSecrets').findIndex((secret) => !pulls.includes(textAt(secret, 'name')))
  if (index < 0) return undefined
  const secret = textAt(spec, 'imagePullSecrets', index, 'name')
  return `imagePullSecrets[${index}].name="${secret}" is not allowed because service account ${name} does not reference that imagePullSecret`
}

/** Which secrets a pod reads, and where it says so. */
function secretUses(spec: Tree): { readonly use: string; readonly secret: string }[] {
  const used = (use: string, secret: string | undefined) => (secret === undefined ? [] : [{ use, secret }])
  const ofContainer = (container: Tree, word: string) => {
    const what = `${word} ${textAt(container, 'name')} with`
    return [
      ...treesAt(container, 'env').flatMap((env) =>
        used(
          `${what} envVar ${textAt(env, 'name')} referencing secret.secretName`,
          textAt(env, 'valueFrom', 'secretKeyRef', 'name'),
        ),
      ),
      ...treesAt(container, 'envFrom').flatMap((from) =>
        used(`${what} envFrom referencing secret.secretName`, textAt(from, 'secretRef', 'name')),
      ),
    ]
  }
  return [
    ...treesAt(spec, 'volumes').flatMap((volume) =>
      used('volume with secret.secretName', textAt(volume, 'secret', 'secretName')),
    ),
    ...treesAt(spec, 'initContainers').flatMap((container) => ofContainer(container, 'init container')),
    ...treesAt(spec, 'containers').flatMap((container) => ofContainer(container, 'container')),
  ]
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
