/** The files of a volume, from the objects that it names. */
import type {
  ConfigMapVolumeSource,
  DownwardAPIVolumeSource,
  KeyToPath,
  SecretVolumeSource,
  Volume,
  VolumeProjection,
} from 'kubernetes-types/core/v1.d.ts'
import { ConfigProblem } from '../config-problem.ts'
import type { EnvironmentSources } from '../environment.ts'
import { fieldValue } from '../field-ref.ts'
import type { Payload, VolumeFile } from './atomic-volume.ts'

export interface ContentSources extends EnvironmentSources {
  /** A token of the pod's service account; the same one until it is due. */
  token(request: { readonly audience: string | undefined; readonly expirationSeconds: number }): Promise<string>
}

const usualMode = 0o644

/** Throws ConfigProblem with the kubelet's words when something that is not optional is missing. */
export async function volumeContent(volume: Volume, sources: ContentSources): Promise<Payload> {
  const files = new Map<string, VolumeFile>()
  if (volume.secret) {
    const { secretName: name, ...rest } = volume.secret
    await addSecret(files, { name, ...rest }, volume.secret.defaultMode ?? usualMode, sources)
  } else if (volume.configMap) {
    await addConfigMap(files, volume.configMap, volume.configMap.defaultMode ?? usualMode, sources)
  } else if (volume.downwardAPI) {
    addFields(files, volume.downwardAPI, volume.downwardAPI.defaultMode ?? usualMode, sources)
  } else {
    for (const part of volume.projected?.sources ?? []) {
      await addProjection(files, part, volume.projected?.defaultMode ?? usualMode, sources)
    }
  }
  return files
}

async function addProjection(
  files: Map<string, VolumeFile>,
  part: VolumeProjection,
  mode: number,
  sources: ContentSources,
): Promise<void> {
  if (part.secret) await addSecret(files, part.secret, mode, sources)
  if (part.configMap) await addConfigMap(files, part.configMap, mode, sources)
  if (part.downwardAPI) addFields(files, part.downwardAPI, mode, sources)
  if (part.serviceAccountToken) {
    const { audience, expirationSeconds = 3600, path } = part.serviceAccountToken
    const token = await sources.token({ audience: audience || undefined, expirationSeconds })
    files.set(checkedPath(path), { content: Buffer.from(token), mode })
  }
}

type Named<T> = Pick<T & { items?: KeyToPath[]; optional?: boolean }, 'items' | 'optional'> & { name?: string }

async function addSecret(
  files: Map<string, VolumeFile>,
  source: Named<SecretVolumeSource>,
  mode: number,
  sources: ContentSources,
): Promise<void> {
  const name = source.name ?? ''
  const secret = await sources.secret(name)
  if (!secret && !source.optional) throw new ConfigProblem(`secret "${name}" not found`)
  const contents = Object.entries(secret?.data ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  )
  addKeys(files, new Map(contents), { ...source, what: `secret "${name}"` }, mode)
}

async function addConfigMap(
  files: Map<string, VolumeFile>,
  source: Named<ConfigMapVolumeSource>,
  mode: number,
  sources: ContentSources,
): Promise<void> {
  const name = source.name ?? ''
  const configMap = await sources.configMap(name)
  if (!configMap && !source.optional) throw new ConfigProblem(`configmap "${name}" not found`)
  const contents = new Map<string, Buffer>()
  for (const [key, value] of Object.entries(configMap?.data ?? {})) contents.set(key, Buffer.from(value))
  for (const [key, value] of Object.entries(configMap?.binaryData ?? {}))
    contents.set(key, Buffer.from(value, 'base64'))
  addKeys(files, contents, { ...source, what: `configmap "${name}"` }, mode)
}

function addKeys(
  files: Map<string, VolumeFile>,
  contents: ReadonlyMap<string, Buffer>,
  source: { readonly items?: readonly KeyToPath[]; readonly optional?: boolean; readonly what: string },
  mode: number,
): void {
  if (!source.items) {
    for (const [key, content] of contents) files.set(checkedPath(key), { content, mode })
    return
  }
  for (const item of source.items) {
    const content = contents.get(item.key)
    if (content) files.set(checkedPath(item.path), { content, mode: item.mode ?? mode })
    else if (!source.optional) throw new ConfigProblem(`references non-existent ${source.what} key: ${item.key}`)
  }
}

function addFields(
  files: Map<string, VolumeFile>,
  source: Pick<DownwardAPIVolumeSource, 'items'>,
  mode: number,
  sources: ContentSources,
): void {
  for (const item of source.items ?? []) {
    const value = fieldValue(sources.pod, item.fieldRef?.fieldPath ?? '', sources.host)
    files.set(checkedPath(item.path), { content: Buffer.from(value), mode: item.mode ?? mode })
  }
}

/** Inside the volume, and not among the names that the layout uses itself. */
function checkedPath(path: string): string {
  const parts = path.split('/')
  if (path === '' || path.startsWith('/') || path.startsWith('..') || parts.includes('..') || parts.includes('')) {
    throw new ConfigProblem(`invalid path in a volume: ${path}`)
  }
  return path
}
