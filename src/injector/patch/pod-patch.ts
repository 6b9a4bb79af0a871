/** InjectionSpec and pod -> the RFC 6902 patch. Pure; the pod is added to, nothing of it is written anew. */
import { prefix } from '../annotations/known.ts'
import type { PodView } from '../pod.ts'
import type { InjectionSpec } from '../spec.ts'
import { agentContainer } from './container.ts'
import type { JsonPatchOperation } from './json-patch.ts'
import { secretMounts, volumesOf } from './volumes.ts'

export function podPatch(pod: PodView, spec: InjectionSpec): JsonPatchOperation[] {
  const mounts = secretMounts(spec)
  return [
    ...appendTo('/spec/volumes', pod.volumes !== undefined, volumesOf(spec)),
    ...pod.containers.flatMap((container, index) =>
      spec.containers.includes(container.name)
        ? appendTo(`/spec/containers/${index}/volumeMounts`, container.mounts !== undefined, mounts)
        : [],
    ),
    ...initOperations(pod, spec, mounts),
    ...(spec.shareProcessNamespace === undefined
      ? []
      : [{ op: 'add', path: '/spec/shareProcessNamespace', value: spec.shareProcessNamespace } as const]),
    ...(spec.sidecar
      ? [{ op: 'add', path: '/spec/containers/-', value: agentContainer(spec, 'sidecar') } as const]
      : []),
    { op: 'add', path: `/metadata/annotations/${pointerKey(`${prefix}agent-inject-status`)}`, value: 'injected' },
  ]
}

/** The agent goes last, or first when asked; the pod's own init containers see the secrets in either case. */
function initOperations(pod: PodView, spec: InjectionSpec, mounts: readonly object[]): JsonPatchOperation[] {
  if (!spec.init) return mountsOfOthers(pod, mounts, 0)
  const agent = agentContainer(spec, 'init')
  if (!pod.initContainers) return [{ op: 'add', path: '/spec/initContainers', value: [agent] }]
  const place = spec.initFirst ? '0' : '-'
  return [
    { op: 'add', path: `/spec/initContainers/${place}`, value: agent },
    ...mountsOfOthers(pod, mounts, spec.initFirst ? 1 : 0),
  ]
}

const mountsOfOthers = (pod: PodView, mounts: readonly object[], shift: number): JsonPatchOperation[] =>
  (pod.initContainers ?? []).flatMap((container, index) =>
    appendTo(`/spec/initContainers/${index + shift}/volumeMounts`, container.mounts !== undefined, mounts),
  )

/** A list that is absent (or empty) is created by the first, so that nothing is ever replaced. */
function appendTo(path: string, exists: boolean, values: readonly object[]): JsonPatchOperation[] {
  const [first, ...rest] = values
  if (first === undefined) return []
  const create: JsonPatchOperation = exists
    ? { op: 'add', path: `${path}/-`, value: first }
    : { op: 'add', path, value: [first] }
  return [create, ...rest.map((value) => ({ op: 'add', path: `${path}/-`, value }) as const)]
}

const pointerKey = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1')
