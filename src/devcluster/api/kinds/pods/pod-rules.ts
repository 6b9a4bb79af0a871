/** What makes a pod or a pod template invalid (k8s.io/kubernetes/pkg/apis/core/validation). */
import {
  duplicate,
  type FieldProblem,
  forbidden,
  invalid,
  notFoundField,
  notSupported,
  required,
} from '../../field-problem.ts'
import { equal, isTree, listAt, numberAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { configKeyProblem, dnsLabelProblem, dnsSubdomainProblem } from '../names.ts'

/** Of `spec` at `path` ("spec" or "spec.template.spec"). */
export function podSpecProblems(spec: unknown, path: string): FieldProblem[] {
  const volumes = volumeProblems(spec, path)
  const names = new Set(treesAt(spec, 'volumes').map((volume) => textAt(volume, 'name') ?? ''))
  const containers = listAt(spec, 'containers')
  const account = textAt(spec, 'serviceAccountName')
  const accountProblem = account ? dnsSubdomainProblem(account) : undefined
  return [
    ...volumes,
    ...(containers.length === 0 ? [required(`${path}.containers`)] : []),
    ...containerListProblems(spec, 'containers', path, names),
    ...containerListProblems(spec, 'initContainers', path, names),
    ...choice(spec, 'restartPolicy', path, ['Always', 'OnFailure', 'Never']),
    ...choice(spec, 'dnsPolicy', path, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']),
    ...(accountProblem ? [invalid(`${path}.serviceAccountName`, account, accountProblem)] : []),
    ...numberRule(spec, 'activeDeadlineSeconds', path, 1, 'must be between 1 and 2147483647, inclusive'),
  ]
}

function choice(value: unknown, member: string, path: string, supported: readonly string[]): FieldProblem[] {
  const chosen = textAt(value, member)
  if (chosen === undefined || chosen === '') return [required(`${path}.${member}`)]
  return supported.includes(chosen) ? [] : [notSupported(`${path}.${member}`, chosen, supported)]
}

function numberRule(value: unknown, member: string, path: string, least: number, why: string): FieldProblem[] {
  const number = numberAt(value, member)
  return number !== undefined && number < least ? [invalid(`${path}.${member}`, number, why)] : []
}

function volumeProblems(spec: unknown, path: string): FieldProblem[] {
  const seen = new Set<string>()
  return treesAt(spec, 'volumes').flatMap((volume, index) => {
    const at = `${path}.volumes[${index}]`
    const name = textAt(volume, 'name') ?? ''
    const out: FieldProblem[] = []
    if (name === '') out.push(required(`${at}.name`))
    else {
      const problem = dnsLabelProblem(name)
      if (problem) out.push(invalid(`${at}.name`, name, problem))
      if (seen.has(name)) out.push(duplicate(`${at}.name`, name))
    }
    seen.add(name)
    const sources = Object.keys(volume).filter((member) => member !== 'name')
    if (sources.length > 1)
      for (const extra of sources.slice(1))
        out.push(forbidden(`${at}.${extra}`, 'may not specify more than 1 volume type'))
    return [...out, ...volumeSourceProblems(volume, at)]
  })
}

function volumeSourceProblems(volume: Tree, at: string): FieldProblem[] {
  const out: FieldProblem[] = []
  if (treeAt(volume, 'secret') && !textAt(volume, 'secret', 'secretName')) out.push(required(`${at}.secret.secretName`))
  if (treeAt(volume, 'configMap') && !textAt(volume, 'configMap', 'name')) out.push(required(`${at}.configMap.name`))
  if (treeAt(volume, 'hostPath') && !textAt(volume, 'hostPath', 'path')) out.push(required(`${at}.hostPath.path`))
  treesAt(volume, 'projected', 'sources').forEach((source, index) => {
    const token = treeAt(source, 'serviceAccountToken')
    const below = `${at}.projected.sources[${index}].serviceAccountToken`
    const seconds = numberAt(token, 'expirationSeconds') ?? 3600
    if (token && !textAt(token, 'path')) out.push(required(`${below}.path`))
    if (token && seconds < 600)
      out.push(invalid(`${below}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'))
  })
  return out
}

function containerListProblems(
  spec: unknown,
  member: 'containers' | 'initContainers',
  path: string,
  volumes: ReadonlySet<string>,
): FieldProblem[] {
  const taken = new Set(
    member === 'initContainers' ? treesAt(spec, 'containers').map((container) => textAt(container, 'name') ?? '') : [],
  )
  return treesAt(spec, member).flatMap((container, index) => {
    const at = `${path}.${member}[${index}]`
    const name = textAt(container, 'name') ?? ''
    const out = containerProblems(container, at, volumes)
    if (name !== '' && taken.has(name)) out.push(duplicate(`${at}.name`, name))
    taken.add(name)
    return out
  })
}

function containerProblems(container: Tree, at: string, volumes: ReadonlySet<string>): FieldProblem[] {
  const name = textAt(container, 'name') ?? ''
  const nameProblem = name === '' ? undefined : dnsLabelProblem(name)
  const image = textAt(container, 'image') ?? ''
  return [
    ...(name === '' ? [required(`${at}.name`)] : []),
    ...(nameProblem ? [invalid(`${at}.name`, name, nameProblem)] : []),
    ...(image === '' ? [required(`${at}.image`)] : []),
    ...(image !== image.trim() ? [invalid(`${at}.image`, image, 'must not have leading or trailing whitespace')] : []),
    ...portProblems(container, at),
    ...envProblems(container, at),
    ...mountProblems(container, at, volumes),
    ...choice(container, 'terminationMessagePolicy', at, ['File', 'FallbackToLogsOnError']),
    ...choice(container, 'imagePullPolicy', at, ['Always', 'IfNotPresent', 'Never']),
  ]
}

function portProblems(container: Tree, at: string): FieldProblem[] {
  return treesAt(container, 'ports').flatMap((port, index) => {
    const below = `${at}.ports[${index}]`
    const number = numberAt(port, 'containerPort') ?? 0
    return [
      ...(number === 0 ? [required(`${below}.containerPort`)] : []),
      ...(number < 0 || number > 65_535
        ? [invalid(`${below}.containerPort`, number, 'must be between 1 and 65535, inclusive')]
        : []),
      ...choice(port, 'protocol', below, ['SCTP', 'TCP', 'UDP']),
    ]
  })
}

function envProblems(container: Tree, at: string): FieldProblem[] {
  return treesAt(container, 'env').flatMap((env, index) => {
    const below = `${at}.env[${index}]`
    const from = treeAt(env, 'valueFrom')
    const out = envNameProblems(textAt(env, 'name') ?? '', below)
    if (from && textAt(env, 'value'))
      out.push(invalid(`${below}.valueFrom`, '', 'may not be specified when `value` is not empty'))
    return from ? [...out, ...envSourceProblems(from, `${below}.valueFrom`)] : out
  })
}

function envNameProblems(name: string, at: string): FieldProblem[] {
  if (name === '') return [required(`${at}.name`)]
  if (/^[ -<>-~]+$/.test(name)) return []
  const why = "a valid environment variable name must consist only of printable ASCII characters other than '='"
  return [invalid(`${at}.name`, name, why)]
}

function envSourceProblems(from: Tree, at: string): FieldProblem[] {
  const count = Object.keys(from).length
  const out: FieldProblem[] = []
  if (count === 0)
    out.push(
      invalid(at, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'),
    )
  if (count > 1) out.push(invalid(at, '', 'may not have more than one field specified at a time'))
  for (const source of ['secretKeyRef', 'configMapKeyRef']) {
    const ref = treeAt(from, source)
    if (ref) out.push(...keyRefProblems(ref, `${at}.${source}`))
  }
  return out
}

function keyRefProblems(ref: Tree, at: string): FieldProblem[] {
  const key = textAt(ref, 'key') ?? ''
  const keyProblem = key === '' ? undefined : configKeyProblem(key)
  return [
    ...(textAt(ref, 'name') ? [] : [required(`${at}.name`)]),
    ...(key === '' ? [required(`${at}.key`)] : []),
    ...(keyProblem ? [invalid(`${at}.key`, key, keyProblem)] : []),
  ]
}

function mountProblems(container: Tree, at: string, volumes: ReadonlySet<string>): FieldProblem[] {
  const paths = new Set<string>()
  return treesAt(container, 'volumeMounts').flatMap((mount, index) => {
    const below = `${at}.volumeMounts[${index}]`
    const name = textAt(mount, 'name') ?? ''
    const path = textAt(mount, 'mountPath') ?? ''
    const out: FieldProblem[] = []
    if (name === '') out.push(required(`${below}.name`))
    if (!volumes.has(name)) out.push(notFoundField(`${below}.name`, name))
    if (path === '') out.push(required(`${below}.mountPath`))
    if (paths.has(path)) out.push(invalid(`${below}.mountPath`, path, 'must be unique'))
    paths.add(path)
    const subPath = textAt(mount, 'subPath') ?? ''
    if (subPath.startsWith('/')) out.push(invalid(`${at}.volumeMounts.subPath`, subPath, 'must be a relative path'))
    if (subPath.split('/').includes('..'))
      out.push(invalid(`${at}.volumeMounts.subPath`, subPath, "must not contain '..'"))
    return out
  })
}

/** A pod that exists keeps its spec, but for images and a few numbers. */
export function podUpdateProblems(spec: unknown, before: unknown): FieldProblem[] {
  if (equal(comparable(spec), comparable(before))) return []
  return [
    forbidden(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ),
  ]
}

function comparable(spec: unknown): unknown {
  if (!isTree(spec)) return spec
  const blind = (containers: readonly unknown[]) =>
    containers.map((container) => (isTree(container) ? { ...container, image: '' } : container))
  return {
    ...spec,
    containers: blind(listAt(spec, 'containers')),
    initContainers: blind(listAt(spec, 'initContainers')),
    activeDeadlineSeconds: 0,
    tolerations: [],
  }
}
