/** Containers of pods. */
import { duplicate, type FieldProblem, invalid, notFoundField, required } from '../../field-problem.ts'
import { numberAt, type Tree, textAt, treeAt, treesAt } from '../../tree.ts'
import { configKeyProblem, dnsLabelProblem, dnsSubdomainProblem } from '../names.ts'
import { portNameProblems } from '../services/service-rules.ts'
import { fieldRefProblems } from './field-ref-rules.ts'
import { choice, identityProblems, privilegeProblems } from './member-rules.ts'
import { hookProblems, probeProblems } from './probe-rules.ts'
import { resourceProblems } from './resource-rules.ts'

export function containerListProblems(
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

/** A template may have what no pod may. */
export function imageProblems(spec: unknown): FieldProblem[] {
  return ['containers', 'initContainers'].flatMap((member) =>
    treesAt(spec, member).flatMap((container, index) => {
      const image = textAt(container, 'image') ?? ''
      const why = 'must not have leading or trailing whitespace'
      return image === image.trim() ? [] : [invalid(`spec.${member}[${index}].image`, image, why)]
    }),
  )
}

function containerProblems(container: Tree, at: string, volumes: ReadonlySet<string>): FieldProblem[] {
  const name = textAt(container, 'name') ?? ''
  const nameProblem = name === '' ? undefined : dnsLabelProblem(name)
  const image = textAt(container, 'image') ?? ''
  return [
    ...(name === '' ? [required(`${at}.name`)] : []),
    ...(nameProblem ? [invalid(`${at}.name`, name, nameProblem)] : []),
    ...(image === '' ? [required(`${at}.image`)] : []),
    ...portProblems(container, at),
    ...envProblems(container, at),
    ...envFromProblems(container, at),
    ...mountProblems(container, at, volumes),
    ...choice(container, 'terminationMessagePolicy', at, ['File', 'FallbackToLogsOnError']),
    ...choice(container, 'imagePullPolicy', at, ['Always', 'IfNotPresent', 'Never']),
    ...resourceProblems(container, at),
    ...identityProblems(treeAt(container, 'securityContext'), `${at}.securityContext`),
    ...privilegeProblems(treeAt(container, 'securityContext'), `${at}.securityContext`),
    ...hookProblems(container, at),
    ...probeProblems(container, at),
  ]
}

function portProblems(container: Tree, at: string): FieldProblem[] {
  const names = new Set<string>()
  return treesAt(container, 'ports').flatMap((port, index) => {
    const below = `${at}.ports[${index}]`
    const number = numberAt(port, 'containerPort') ?? 0
    const hostNumber = numberAt(port, 'hostPort') ?? 0
    const name = textAt(port, 'name') ?? ''
    const wrongName = name === '' ? [] : portNameProblems(name)
    const out = wrongName.map((why) => invalid(`${below}.name`, name, why))
    if (name !== '' && wrongName.length === 0 && names.has(name)) out.push(duplicate(`${below}.name`, name))
    names.add(name)
    if (number === 0) out.push(required(`${below}.containerPort`))
    if (number < 0 || number > 65_535) out.push(invalid(`${below}.containerPort`, number, portRange))
    if (hostNumber < 0 || hostNumber > 65_535) out.push(invalid(`${below}.hostPort`, hostNumber, portRange))
    return [...out, ...choice(port, 'protocol', below, ['SCTP', 'TCP', 'UDP'])]
  })
}

const portRange = 'must be between 1 and 65535, inclusive'

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

function envFromProblems(container: Tree, at: string): FieldProblem[] {
  return treesAt(container, 'envFrom').flatMap((source, index) => {
    const below = `${at}.envFrom[${index}]`
    const prefix = textAt(source, 'prefix') ?? ''
    const out =
      prefix === '' ? [] : envNameProblems(prefix, below).map((found) => ({ ...found, field: `${below}.prefix` }))
    const named = ['configMapRef', 'secretRef'].filter((member) => treeAt(source, member))
    for (const member of named) {
      const name = textAt(source, member, 'name') ?? ''
      const why = name === '' ? undefined : dnsSubdomainProblem(name)
      if (name === '') out.push(required(`${below}.${member}.name`))
      if (why) out.push(invalid(`${below}.${member}.name`, name, why))
    }
    // These two name the list, not the item.
    if (named.length === 0) out.push(invalid(`${at}.envFrom`, '', 'must specify one of: `configMapRef` or `secretRef`'))
    if (named.length > 1) out.push(invalid(`${at}.envFrom`, '', 'may not have more than one field specified at a time'))
    return out
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
  const field = treeAt(from, 'fieldRef')
  if (field) out.push(...fieldRefProblems(field, `${at}.fieldRef`, 'env'))
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
