/** What the writer of a pod or of a template should know though it is taken (k8s.io/kubernetes/pkg/api/pod/warnings.go). */
import type { KubeObject } from '../../../../kube/client.ts'
import { parseQuantity } from '../../shapes/quantity.ts'
import { at, numberAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { dnsLabelProblem } from '../names.ts'

/** Of a new object whose pods are called after it. */
export function podNameWarnings({ metadata: { name = '' } }: KubeObject): string[] {
  const why = dnsLabelProblem(name)
  if (!why) return []
  return [
    `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${why}]`,
  ]
}

/** Of a new pod. */
export function hostnameWarnings({ metadata: { name = '' } }: KubeObject): string[] {
  const why = dnsLabelProblem(name)
  if (!why) return []
  return [
    `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${why}]`,
  ]
}

/** Of a workload, once when it is made and then whenever its spec changes. `path` is that of its template. */
export function templateWarnings(
  object: KubeObject,
  before: KubeObject | undefined,
  path: readonly string[],
): string[] {
  if (before && object.metadata.generation === before.metadata.generation) return []
  const warnings = podSpecWarnings(at(object, ...path, 'spec'), `${path.join('.')}.spec`)
  return before ? warnings : [...podNameWarnings(object), ...warnings]
}

/** `path` is that of the spec. */
export function podSpecWarnings(spec: unknown, path: string): string[] {
  const containers = (['initContainers', 'containers'] as const).flatMap((member) =>
    treesAt(spec, member).map((container, index) => ({ container, at: `${path}.${member}[${index}]` })),
  )
  const grace = numberAt(spec, 'terminationGracePeriodSeconds') ?? 0
  return [
    ...volumeWarnings(spec, path),
    ...repeated(treesAt(spec, 'hostAliases'), 'ip', `${path}.hostAliases`),
    ...repeated(treesAt(spec, 'imagePullSecrets'), 'name', `${path}.imagePullSecrets`),
    ...treesAt(spec, 'imagePullSecrets').flatMap((secret, index) =>
      textAt(secret, 'name') ? [] : [`${path}.imagePullSecrets[${index}].name: invalid empty name ""`],
    ),
    ...containers.flatMap(({ container, at: place }) => containerWarnings(container, place)),
    ...portWarnings(containers),
    ...(grace < 0
      ? [`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
  ]
}

function volumeWarnings(spec: unknown, path: string): string[] {
  const volumes = treesAt(spec, 'volumes')
  const git = volumes.flatMap((volume, index) =>
    treeAt(volume, 'gitRepo')
      ? [`${path}.volumes[${index}].gitRepo: deprecated in v1.11, and disabled by default in v1.33+`]
      : [],
  )
  const empty = volumes.flatMap((volume) =>
    treesAt(volume, 'projected', 'sources')
      .filter((source) => Object.keys(source).length === 0)
      .map(() => `volume ${JSON.stringify(textAt(volume, 'name') ?? '')} (Projected) has no sources provided`),
  )
  return [...git, ...empty]
}

function repeated(items: readonly Tree[], member: string, path: string): string[] {
  const known = new Set<string>()
  return items.flatMap((item, index) => {
    const value = textAt(item, member) ?? ''
    if (known.has(value)) return [`${path}[${index}].${member}: duplicate ${member} ${JSON.stringify(value)}`]
    known.add(value)
    return []
  })
}

function containerWarnings(container: Tree, place: string): string[] {
  const amounts = ['memory', 'ephemeral-storage'].flatMap((name) =>
    ['limits', 'requests'].flatMap((member) => {
      const amount = at(container, 'resources', member, name)
      const nanos = parseQuantity(amount)?.nanos ?? 0n
      const words = `fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`
      return nanos % 1_000_000_000n === 0n ? [] : [`${place}.resources.${member}[${name}]: ${words}`]
    }),
  )
  return [...amounts, ...variableWarnings(container, place)]
}

/** A variable may stand twice when the second has the first in it. */
function variableWarnings(container: Tree, place: string): string[] {
  const known = new Set<string>()
  return treesAt(container, 'env').flatMap((variable, index) => {
    const name = textAt(variable, 'name') ?? ''
    if (!known.has(name)) {
      known.add(name)
      return []
    }
    const value = textAt(variable, 'value') ?? ''
    const reference = `$(${name})`
    if (!treeAt(variable, 'valueFrom') && value !== reference && value.includes(reference)) return []
    const words = `hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`
    return [`${place}.env[${index}]: ${words}`]
  })
}

interface Placed {
  readonly container: Tree
  readonly at: string
}
interface PlacedPort {
  readonly port: Tree
  readonly field: string
}

function portWarnings(containers: readonly Placed[]): string[] {
  const ports = containers.flatMap(({ container, at: place }) =>
    treesAt(container, 'ports').map((port, index) => ({ port, field: `${place}.ports[${index}]` })),
  )
  const names = new Map<string, string>()
  const sameName = ports.flatMap(({ port, field }) => {
    const name = textAt(port, 'name') ?? ''
    const other = names.get(name)
    if (other === undefined) {
      if (name !== '') names.set(name, field)
      return []
    }
    const words = `services and probes that select ports by name will use ${other}`
    return [`${field}: duplicate port name ${JSON.stringify(name)} with ${other}, ${words}`]
  })
  const numbers = ports.flatMap((one, index) =>
    ports.slice(0, index).flatMap((other) => {
      const how = sharing(one.port, other.port)
      return how === undefined ? [] : [`${one.field}: ${how} port definition with ${other.field}`]
    }),
  )
  return [...numbers, ...sameName]
}

function sharing(one: PlacedPort['port'], other: Tree): string | undefined {
  const same = (member: string) => at(one, member) === at(other, member)
  if (!same('containerPort') || !same('protocol')) return undefined
  const [hostPort = 0, otherPort = 0] = [numberAt(one, 'hostPort'), numberAt(other, 'hostPort')]
  const [hostIp = '', otherIp = ''] = [textAt(one, 'hostIP'), textAt(other, 'hostIP')]
  if (hostIp === otherIp && hostPort === otherPort) return 'duplicate'
  if (hostPort === 0 || otherPort === 0) return 'overlapping'
  const oneIsAny = (hostIp === '') !== (otherIp === '')
  return hostPort === otherPort && oneIsAny ? 'dangerously ambiguous' : undefined
}
