import type { KubeClient, KubeObject, ResourceType } from '../../kube/client.ts'
import type { DevCluster } from './cluster/dev-cluster.ts'

const isObject = (value: unknown): value is KubeObject =>
  typeof value === 'object' && value !== null && 'apiVersion' in value && 'kind' in value && 'metadata' in value

/** Where objects of this apiVersion and kind are served, as discovery says. */
async function typeOf(kube: KubeClient, object: KubeObject): Promise<ResourceType> {
  const [group, version] = object.apiVersion.includes('/') ? object.apiVersion.split('/') : ['', object.apiVersion]
  const answer = await kube.raw({ method: 'GET', path: group ? `/apis/${group}/${version}` : `/api/${version}` })
  const found: { resources?: { name: string; kind: string; namespaced: boolean }[] } =
    answer.status === 200 ? JSON.parse(answer.body) : {}
  const resource = found.resources?.find((r) => r.kind === object.kind && !r.name.includes('/'))
  if (!resource) throw new Error(`no matches for kind "${object.kind}" in version "${object.apiVersion}"`)
  return {
    group: group ?? '',
    version: version ?? '',
    plural: resource.name,
    kind: object.kind,
    namespaced: resource.namespaced,
  }
}

/** Where an object goes that names no namespace, as with kubectl. */
export function inDefaultNamespace(object: KubeObject, namespaced: boolean): KubeObject {
  if (namespaced) object.metadata.namespace ??= 'default'
  return object
}

/** By server-side apply, as `kubectl apply --server-side` does; `place`: where and with which marks. */
export async function applyObject(
  kube: KubeClient,
  object: KubeObject,
  place: DevCluster['place'] = inDefaultNamespace,
): Promise<void> {
  const type = await typeOf(kube, object)
  await kube.apply(type, place(object, type.namespaced), { fieldManager: 'coffer-dev', force: true })
}

/** Each document of a manifest; the first refusal is thrown as the API server words it. */
export async function applyManifest(
  target: Pick<DevCluster, 'kube'> & Partial<Pick<DevCluster, 'place'>>,
  manifest: string,
): Promise<void> {
  const { parseAllDocuments } = await import('yaml')
  for (const document of parseAllDocuments(manifest, { version: '1.1' })) {
    const object: unknown = document.toJS()
    if (isObject(object)) await applyObject(target.kube, object, target.place)
  }
}
