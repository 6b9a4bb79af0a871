import { isRecord } from '../kube/answers.ts'

/** The parts of a pod that an injection looks at; the pod itself is patched, never written anew. */
export interface PodView {
  readonly namespace: string
  readonly phase: string
  readonly annotations: Readonly<Record<string, string>>
  readonly volumes: readonly VolumeView[] | undefined
  readonly containers: readonly ContainerView[]
  readonly initContainers: readonly ContainerView[] | undefined
  readonly shareProcessNamespace: boolean | undefined
  /** Whether the pod as a whole has a seccomp profile. */
  readonly namesSeccomp: boolean
}
export interface ContainerView {
  readonly name: string
  /** Undefined: the list is absent, so that the first mount must create it. */
  readonly mounts: readonly MountView[] | undefined
  readonly hasSecurityContext: boolean
  readonly runAsUser: number | undefined
  readonly namesSeccomp: boolean
}
export interface MountView {
  readonly name: string
  readonly mountPath: string
  readonly source: Readonly<Record<string, unknown>>
}
export interface VolumeView {
  readonly name: string
  /** Path of a projected service account token. */
  readonly tokenPath: string | undefined
}

/** Undefined: it is no pod. */
export function readPod(object: unknown): PodView | undefined {
  if (!isRecord(object) || !isRecord(object['spec'])) return undefined
  const metadata = isRecord(object['metadata']) ? object['metadata'] : {}
  const status = isRecord(object['status']) ? object['status'] : {}
  const spec = object['spec']
  const annotations = isRecord(metadata['annotations']) ? metadata['annotations'] : {}
  return {
    namespace: textOf(metadata['namespace']),
    phase: textOf(status['phase']),
    annotations: Object.fromEntries(
      Object.entries(annotations).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
    ),
    volumes: records(spec['volumes'])?.map(readVolume),
    containers: records(spec['containers'])?.map(readContainer) ?? [],
    initContainers: records(spec['initContainers'])?.map(readContainer),
    shareProcessNamespace: booleanOf(spec['shareProcessNamespace']),
    namesSeccomp: namesSeccomp(spec['securityContext']),
  }
}

function readContainer(container: Readonly<Record<string, unknown>>): ContainerView {
  const security = container['securityContext']
  const user = isRecord(security) ? security['runAsUser'] : undefined
  return {
    name: textOf(container['name']),
    mounts: records(container['volumeMounts'])?.map((mount) => ({
      name: textOf(mount['name']),
      mountPath: textOf(mount['mountPath']),
      source: mount,
    })),
    hasSecurityContext: isRecord(security),
    runAsUser: typeof user === 'number' ? user : undefined,
    namesSeccomp: namesSeccomp(security),
  }
}

function readVolume(volume: Readonly<Record<string, unknown>>): VolumeView {
  const projected = isRecord(volume['projected']) ? volume['projected'] : {}
  const token = (records(projected['sources']) ?? []).map((source) => source['serviceAccountToken']).find(isRecord)
  return { name: textOf(volume['name']), tokenPath: token ? textOf(token['path']) || undefined : undefined }
}

const namesSeccomp = (security: unknown) => isRecord(security) && isRecord(security['seccompProfile'])
const records = (value: unknown) => (Array.isArray(value) && value.length > 0 ? value.filter(isRecord) : undefined)
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
const booleanOf = (value: unknown) => (typeof value === 'boolean' ? value : undefined)
