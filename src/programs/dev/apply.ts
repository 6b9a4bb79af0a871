import type { KubeClient, KubeObject, ResourceType } from '../../kube/client.ts'

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

/** Each document of a manifest by server-side apply, as `kubectl apply --server-side` does; the first refusal is thrown as the API server words it. */
export async function applyManifest(context: { readonly kube: KubeClient }, manifest: string): Promise<void> {
  const { parseAllDocuments } = await import('yaml')
  for (const document of parseAllDocuments(manifest, { version: '1.1' })) {
    const object: unknown = document.toJS()
    if (!isObject(object)) continue
    const type = await typeOf(context.kube, object)
    if (type.namespaced) object.metadata.namespace ??= 'default'
    await context.kube.apply(type, object, { fieldManager: 'coffer-dev', force: true })
  }
}
