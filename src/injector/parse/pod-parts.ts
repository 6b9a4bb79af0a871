import { posix } from 'node:path'
import type { Annotations } from '../annotations/known.ts'
import { Denial, during, goBool, goInt } from '../annotations/values.ts'
import type { InjectorDefaults } from '../defaults.ts'
import type { PodView } from '../pod.ts'
import type { InjectionSpec, SecuritySpec } from '../spec.ts'

const usualTokenPath = '/var/run/secrets/kubernetes.io/serviceaccount'
const ownTokenPath = '/var/run/secrets/vault.hashicorp.com/serviceaccount'

/** The mount whose token the agent logs in with. */
export function readTokenMount(annotations: Annotations, pod: PodView): InjectionSpec['tokenMount'] {
  const volume = annotations.get('agent-service-account-token-volume-name')
  if (volume) return namedTokenMount(volume, pod)
  const mounts = pod.containers.flatMap((container) => container.mounts ?? [])
  // Other projected tokens (cloud identities) have "serviceaccount" in their paths too: the usual path goes first.
  const mount =
    mounts.find(({ mountPath }) => mountPath.replace(/\/+$/, '') === usualTokenPath) ??
    mounts.find(({ mountPath }) => mountPath.includes('serviceaccount'))
  if (!mount) {
    throw new Denial(
      'failed to find service account volume mount',
      'the pod has no service account token: leave out automountServiceAccountToken: false, or name a projected token volume in agent-service-account-token-volume-name',
    )
  }
  return { volume: mount.name, mountPath: mount.mountPath, tokenPath: posix.join(mount.mountPath, 'token') }
}

function namedTokenMount(name: string, pod: PodView): InjectionSpec['tokenMount'] {
  const quoted = JSON.stringify(name)
  const volume = (pod.volumes ?? []).find((one) => one.name === name)
  if (!volume) throw new Denial(`failed to find service account volume ${quoted}`)
  if (!volume.tokenPath) throw new Denial(`failed to find tokenPath for projected volume ${quoted}`)
  const mounted = pod.containers.flatMap((container) => container.mounts ?? []).find((mount) => mount.name === name)
  const mountPath = mounted?.mountPath ?? ownTokenPath
  return { volume: name, mountPath, tokenPath: posix.join(mountPath, volume.tokenPath) }
}

/** Undefined: the containers get no security context. */
export function readSecurity(
  annotations: Annotations,
  pod: PodView,
  defaults: InjectorDefaults,
): SecuritySpec | undefined {
  const user = annotations.get('agent-run-as-user')
  const group = annotations.get('agent-run-as-group')
  const same = annotations.get('agent-run-as-same-user')
  const wanted = annotations.get('agent-set-security-context')
  const named = user !== undefined || group !== undefined || same !== undefined
  const set =
    wanted === undefined
      ? defaults.setSecurityContext || named
      : during('', 'agent-set-security-context', () => goBool(wanted))
  if (!set) return undefined
  const sameUser =
    same === undefined ? defaults.runAsSameUser : during('', 'agent-run-as-same-user', () => goBool(same))
  return {
    runAsUser: sameUser
      ? userOfFirst(pod)
      : during('', 'agent-run-as-user', () => (user === undefined ? defaults.runAsUser : goInt(user))),
    runAsGroup: during('', 'agent-run-as-group', () => (group === undefined ? defaults.runAsGroup : goInt(group))),
    seccomp: !pod.namesSeccomp && pod.containers.every((container) => container.namesSeccomp),
  }
}

function userOfFirst(pod: PodView): number {
  const [first] = pod.containers
  if (!first?.hasSecurityContext) throw new Denial('No SecurityContext found for Container 0')
  if (first.runAsUser === undefined) throw new Denial("RunAsUser is nil for Container 0's SecurityContext")
  if (first.runAsUser === 0) throw new Denial('container not allowed to run as root')
  return first.runAsUser
}

export function readShareProcessNamespace(annotations: Annotations, pod: PodView): boolean | undefined {
  const text = annotations.get('agent-share-process-namespace')
  if (text === undefined) return undefined
  const share = during('', 'agent-share-process-namespace', () => goBool(text))
  if (share && pod.shareProcessNamespace === false) {
    throw new Denial('shareProcessNamespace explicitly disabled on the pod, refusing to enable')
  }
  return share
}

/** Mounts of the container that is named, but for its service account tokens. */
export function readCopiedMounts(annotations: Annotations, pod: PodView): readonly Readonly<Record<string, unknown>>[] {
  const from = annotations.get('agent-copy-volume-mounts')
  if (!from) return []
  const container = [...pod.containers, ...(pod.initContainers ?? [])].find(({ name }) => name === from)
  if (!container) {
    throw new Denial(`no container ${JSON.stringify(from)} to copy volume mounts from`, 'agent-copy-volume-mounts')
  }
  return (container.mounts ?? [])
    .filter(({ mountPath }) => !mountPath.includes('serviceaccount'))
    .map(({ source }) => source)
}

/** Names of the app containers that get the secrets; the list is not trimmed, as in the field's injector. */
export function readContainers(annotations: Annotations, pod: PodView): readonly string[] {
  const all = pod.containers.map(({ name }) => name)
  const listed = annotations.get('agent-inject-containers')
  return listed === undefined ? all : all.filter((name) => listed.split(',').includes(name))
}
