/** What makes a pod or a pod template invalid (k8s.io/kubernetes/pkg/apis/core/validation). */
import { isIP } from 'node:net'
import { duplicate, type FieldProblem, forbidden, invalid, notSupported, required } from '../../field-problem.ts'
import { at, equal, isTree, listAt, numberAt, textAt, textMapAt, textsAt, treeAt, treesAt } from '../../tree.ts'
import { labelProblems } from '../metadata-rules.ts'
import { dnsLabelProblem, dnsSubdomainProblem, labelValueProblems, qualifiedNameProblems } from '../names.ts'
import { containerListProblems } from './container-rules.ts'
import { choice, identityProblems } from './member-rules.ts'
import { volumeProblems } from './volume-rules.ts'

/** Of `spec` at `path` ("spec" or "spec.template.spec"). */
export function podSpecProblems(spec: unknown, path: string): FieldProblem[] {
  const names = new Set(treesAt(spec, 'volumes').map((volume) => textAt(volume, 'name') ?? ''))
  return [
    ...volumeProblems(spec, path),
    ...(listAt(spec, 'containers').length === 0 ? [required(`${path}.containers`)] : []),
    ...containerListProblems(spec, 'containers', path, names),
    ...containerListProblems(spec, 'initContainers', path, names),
    ...choice(spec, 'restartPolicy', path, ['Always', 'OnFailure', 'Never']),
    ...choice(spec, 'dnsPolicy', path, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']),
    ...labelProblems(textMapAt(spec, 'nodeSelector'), `${path}.nodeSelector`),
    ...identityProblems(treeAt(spec, 'securityContext'), `${path}.securityContext`),
    ...dnsProblems(spec, path),
    ...gateProblems(spec, path),
    ...nameRule(spec, 'serviceAccountName', path, dnsSubdomainProblem),
    ...nameRule(spec, 'nodeName', path, dnsSubdomainProblem),
    ...deadlineProblems(spec, path),
    ...nameRule(spec, 'hostname', path, dnsLabelProblem),
    ...nameRule(spec, 'subdomain', path, dnsLabelProblem),
    ...tolerationProblems(spec, path),
    ...hostAliasProblems(spec, path),
    ...nameRule(spec, 'priorityClassName', path, dnsSubdomainProblem),
  ]
}

function gateProblems(spec: unknown, path: string): FieldProblem[] {
  const known = new Set<string>()
  return treesAt(spec, 'schedulingGates').flatMap((gate, index) => {
    const name = textAt(gate, 'name') ?? ''
    const field = `${path}.schedulingGates[${index}]`
    const out = qualifiedNameProblems(name).map((why) => invalid(field, name, why))
    if (known.has(name)) out.push(duplicate(field, name))
    known.add(name)
    return out
  })
}

function nameRule(
  spec: unknown,
  member: string,
  path: string,
  problemOf: (name: string) => string | undefined,
): FieldProblem[] {
  const name = textAt(spec, member) ?? ''
  const problem = name === '' ? undefined : problemOf(name)
  return problem ? [invalid(`${path}.${member}`, name, problem)] : []
}

function deadlineProblems(spec: unknown, path: string): FieldProblem[] {
  const seconds = numberAt(spec, 'activeDeadlineSeconds')
  if (seconds === undefined || (seconds >= 1 && seconds < 2 ** 31)) return []
  return [invalid(`${path}.activeDeadlineSeconds`, seconds, 'must be between 1 and 2147483647, inclusive')]
}

function dnsProblems(spec: unknown, path: string): FieldProblem[] {
  const config = treeAt(spec, 'dnsConfig')
  const none = textAt(spec, 'dnsPolicy') === 'None'
  if (none && !config) return [required(`${path}.dnsConfig`, 'must provide `dnsConfig` when `dnsPolicy` is None')]
  if (none && textsAt(config, 'nameservers').length === 0)
    return [
      required(`${path}.dnsConfig.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None'),
    ]
  return []
}

function hostAliasProblems(spec: unknown, path: string): FieldProblem[] {
  return treesAt(spec, 'hostAliases').flatMap((alias, index) => {
    const of = `${path}.hostAliases[${index}]`
    const ip = textAt(alias, 'ip') ?? ''
    const names = textsAt(alias, 'hostnames').flatMap((name, n) => {
      const why = dnsSubdomainProblem(name)
      return why ? [invalid(`${of}.hostnames[${n}]`, name, why)] : []
    })
    const wrong = isIP(ip) === 0 ? [invalid(`${of}.ip`, ip, addressWords)] : []
    return [...wrong, ...names]
  })
}

const addressWords = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'

function tolerationProblems(spec: unknown, path: string): FieldProblem[] {
  return treesAt(spec, 'tolerations').flatMap((toleration, index) => {
    const of = `${path}.tolerations[${index}]`
    const key = textAt(toleration, 'key') ?? ''
    const operator = textAt(toleration, 'operator') ?? ''
    const value = textAt(toleration, 'value') ?? ''
    const effect = textAt(toleration, 'effect') ?? ''
    const out = key === '' ? [] : qualifiedNameProblems(key).map((why) => invalid(`${of}.key`, key, why))
    if (key === '' && operator !== 'Exists')
      out.push(
        invalid(
          `${of}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      )
    if (at(toleration, 'tolerationSeconds') !== undefined && effect !== 'NoExecute')
      out.push(invalid(`${of}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    out.push(...tolerationValueProblems(operator, value, `${of}.operator`))
    const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']
    if (effect !== '' && !effects.includes(effect)) out.push(notSupported(`${of}.effect`, effect, effects))
    return out
  })
}

function tolerationValueProblems(operator: string, value: string, field: string): FieldProblem[] {
  if (operator === 'Exists')
    return value === '' ? [] : [invalid(field, value, "value must be empty when `operator` is 'Exists'")]
  if (operator !== '' && operator !== 'Equal') return [notSupported(field, operator, ['Equal', 'Exists'])]
  const wrong = labelValueProblems(value)
  return wrong.length === 0 ? [] : [invalid(field, value, wrong.join(';'))]
}

/** A pod that exists keeps its spec, but for images and a few numbers. */
export function podUpdateProblems(spec: unknown, before: unknown): FieldProblem[] {
  for (const member of ['containers', 'initContainers'])
    if (listAt(spec, member).length !== listAt(before, member).length)
      return [forbidden(`spec.${member}`, 'pod updates may not add or remove containers')]
  const out = deadlineChangeProblems(at(spec, 'activeDeadlineSeconds'), at(before, 'activeDeadlineSeconds'))
  if (out.length > 0 && at(spec, 'activeDeadlineSeconds') !== undefined) return out
  const kept = listAt(spec, 'tolerations')
  if (!listAt(before, 'tolerations').every((old) => kept.some((now) => tolerationStays(old, now))))
    out.push(forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'))
  const gates = treesAt(before, 'schedulingGates').map((gate) => textAt(gate, 'name'))
  treesAt(spec, 'schedulingGates').forEach((gate, index) => {
    const name = textAt(gate, 'name') ?? ''
    if (!gates.includes(name))
      out.push(
        forbidden(
          `spec.schedulingGates[${index}].name`,
          `only deletion is allowed, but found new scheduling gate '${name}'`,
        ),
      )
  })
  if (equal(comparable(spec), comparable(before))) return out
  return [
    ...out,
    forbidden(
      'spec',
      'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    ),
  ]
}

/** It may come closer, and not go away. */
function deadlineChangeProblems(now: unknown, before: unknown): FieldProblem[] {
  if (typeof before !== 'number') return []
  const field = 'spec.activeDeadlineSeconds'
  if (typeof now !== 'number') return [invalid(field, null, 'must not update from a positive integer to nil value')]
  return now > before ? [invalid(field, now, 'must be less than or equal to previous value')] : []
}

function tolerationStays(old: unknown, now: unknown): boolean {
  if (!isTree(old) || !isTree(now)) return false
  return equal({ ...old, tolerationSeconds: 0 }, { ...now, tolerationSeconds: 0 })
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
    schedulingGates: [],
  }
}
