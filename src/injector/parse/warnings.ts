import { Annotations, prefix } from '../annotations/known.ts'
import type { PodView } from '../pod.ts'
import type { InjectionSpec } from '../spec.ts'

/** Said to whoever creates the pod: what nobody reads, and what Coffer's own agent refuses. Each up to 256 characters. */
export function warningsFor(pod: PodView, spec: InjectionSpec): string[] {
  const annotations = new Annotations(pod.annotations)
  return [
    ...unknownNames(annotations),
    ...missingContainers(annotations, pod),
    ...idleDelimiters(annotations),
    ...beyondTheAgent(annotations, spec),
    ...(spec.secrets.length === 0 && spec.volumes.configMap === '' && !spec.injectToken
      ? [`no ${prefix}agent-inject-secret-<name> or -template-<name>: the agent will render nothing`]
      : []),
  ].map((text) => (text.length > 256 ? `${text.slice(0, 253)}...` : text))
}

const unknownNames = (annotations: Annotations) =>
  annotations
    .unknown()
    .map(
      ({ name, meant }) => `${prefix}${name} is unknown and ignored${meant ? `: did you mean ${prefix}${meant}?` : ''}`,
    )

function missingContainers(annotations: Annotations, pod: PodView): string[] {
  const names = pod.containers.map(({ name }) => name)
  return (annotations.get('agent-inject-containers') ?? '')
    .split(',')
    .filter((name) => name !== '' && !names.includes(name))
    .map((name) => `${prefix}agent-inject-containers: the pod has no container ${JSON.stringify(name)}`)
}

/** The default template is written with {{ }} whatever the delimiters: with others it is copied, not executed. */
const idleDelimiters = (annotations: Annotations) =>
  [...annotations.family('agent-template-left-delim-').keys()]
    .filter((name) => !annotations.member('agent-inject-template-', name))
    .filter((name) => !annotations.member('agent-inject-template-file-', name))
    .map((name) => `${prefix}agent-template-left-delim-${name} has no effect without agent-inject-template-${name}`)

/** Known to the field and passed on, so that other agent images work; Coffer's agent ends with an error that names it. */
function beyondTheAgent(annotations: Annotations, spec: InjectionSpec): string[] {
  const extra = [...annotations.family('auth-config-').keys()].filter((name) => !['role', 'token-path'].includes(name))
  const found = [
    ...(spec.auth.type === 'kubernetes' || spec.volumes.configMap !== '' ? [] : ['auth-type']),
    ...extra.map((name) => `auth-config-${name}`),
    ...(spec.cache ? ['agent-cache-enable'] : []),
    ...[...annotations.family('agent-telemetry-').keys()].map((name) => `agent-telemetry-${name}`),
    ...(spec.disableIdleConnections.length > 0 ? ['agent-disable-idle-connections'] : []),
    ...(spec.disableKeepAlives.length > 0 ? ['agent-disable-keep-alives'] : []),
    ...(spec.templating.maxConnectionsPerHost !== 0 ? ['template-max-connections-per-host'] : []),
    ...(spec.environment.proxyAddress ? ['proxy-address'] : []),
  ]
  return found.map((name) => `${prefix}${name}: not implemented by coffer agent; it needs another agent-image`)
}
