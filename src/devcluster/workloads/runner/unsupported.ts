/** What a pod asks for and the runner cannot do is refused in so many words: a pod that only seems to work is worse. */
import type { Container, Volume } from 'kubernetes-types/core/v1.d.ts'
import type { Pod } from '../../../kube/object-types.ts'

/** The first thing that is not supported; undefined: all is. */
export function unsupportedPart(pod: Pod): string | undefined {
  const spec = pod.spec
  if (!spec) return 'a pod without a spec'
  if (spec.activeDeadlineSeconds !== undefined) return 'activeDeadlineSeconds'
  for (const volume of spec.volumes ?? []) {
    const problem = unsupportedVolume(volume)
    if (problem) return problem
  }
  for (const container of spec.initContainers ?? []) {
    if ('restartPolicy' in container && container.restartPolicy) {
      return `init container ${container.name}: restartPolicy (a native sidecar)`
    }
    if (container.lifecycle?.preStop || container.lifecycle?.postStart)
      return `init container ${container.name}: lifecycle`
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const problem = unsupportedContainer(container)
    if (problem) return `container ${container.name}: ${problem}`
  }
  return undefined
}

function unsupportedVolume(volume: Volume): string | undefined {
  const { name, ...source } = volume
  const kinds = Object.keys(source)
  const known = ['emptyDir', 'projected', 'secret', 'configMap', 'downwardAPI']
  const [kind = 'nothing'] = kinds
  if (kinds.length !== 1 || !known.includes(kind)) return `volume ${name}: ${kinds.join(', ') || 'no source'}`
  for (const projected of volume.projected?.sources ?? []) {
    const [part = 'nothing'] = Object.keys(projected)
    if (!['serviceAccountToken', 'secret', 'configMap', 'downwardAPI'].includes(part)) {
      return `volume ${name}: projected ${part}`
    }
  }
  const fields = [...(volume.downwardAPI?.items ?? []), ...projectedFields(volume)]
  return fields.some((item) => item.resourceFieldRef) ? `volume ${name}: resourceFieldRef` : undefined
}

const projectedFields = (volume: Volume) =>
  (volume.projected?.sources ?? []).flatMap((source) => source.downwardAPI?.items ?? [])

function unsupportedContainer(container: Container): string | undefined {
  if (container.readinessProbe || container.livenessProbe || container.startupProbe) return 'probes'
  if (container.lifecycle?.postStart) return 'lifecycle.postStart'
  if (container.lifecycle?.preStop && !container.lifecycle.preStop.exec) return 'lifecycle.preStop other than exec'
  if (container.volumeDevices?.length) return 'volumeDevices'
  if (container.tty || container.stdin) return 'stdin and tty'
  if (container.volumeMounts?.some((mount) => mount.subPathExpr)) return 'subPathExpr'
  return undefined
}

/** What is noted and not applied: an ordinary user has one uid, and there are no cgroups. */
export function recordedOnly(pod: Pod): string[] {
  const names = new Set<string>()
  const note = (from: object | undefined, members: readonly string[]) => {
    for (const member of members) if (from && member in from) names.add(member)
  }
  note(pod.spec?.securityContext, ['runAsUser', 'runAsGroup', 'fsGroup', 'supplementalGroups', 'seccompProfile'])
  for (const container of [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]) {
    note(container.securityContext, ['runAsUser', 'runAsGroup', 'seccompProfile'])
    note(container.resources, ['limits', 'requests'])
  }
  return [...names].sort()
}
