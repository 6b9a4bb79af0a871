/** What makes a Job invalid (k8s.io/kubernetes/pkg/apis/batch/validation). */
import type { KubeObject } from '../../../../kube/client.ts'
import { type FieldProblem, immutable, invalid, notSupported, required, tooLong } from '../../field-problem.ts'
import { matchesLabels, readLabelSelector } from '../../store/selectors.ts'
import { at, equal, isTree, numberAt, type Tree, textAt, textMapAt, treeAt } from '../../tree.ts'
import { dnsLabelProblem, dnsSubdomainProblem } from '../names.ts'
import { labelSelectorProblems } from '../templates/label-selector-rules.ts'
import { podTemplateProblems } from '../templates/pod-template-rules.ts'
import { podFailurePolicyProblems, successPolicyProblems } from './job-policies.ts'

const maxParallelismOfIndexed = 100_000
const maxFailedIndexes = 100_000
const manyCompletions = 100_000
const limitWithManyCompletions = 10_000
const maxManagedBy = 63
const httpPath = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"

/** Of a Job as it stands. */
export function jobProblems(job: KubeObject): FieldProblem[] {
  const out = [...generatedSelectorProblems(job), ...specWithSelectorProblems(at(job, 'spec'))]
  const completions = numberAt(job, 'spec', 'completions') ?? 0
  if (textAt(job, 'spec', 'completionMode') === 'Indexed' && completions > 0) {
    const hostname = `${job.metadata.name}-${completions - 1}`
    if (dnsLabelProblem(hostname))
      out.push(
        invalid('metadata.name', job.metadata.name, `will not able to create pod with invalid DNS label: ${hostname}`),
      )
  }
  return out
}

/** The API server looks at the spec twice on an update: each of its problems is told twice. */
export function jobUpdateProblems(job: KubeObject, before: KubeObject): FieldProblem[] {
  const spec = treeAt(job, 'spec') ?? {}
  const old = treeAt(before, 'spec') ?? {}
  const fixed = ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy']
  const same = (member: string) =>
    equal(spec[member], old[member]) ? [] : [immutable(`spec.${member}`, spec[member] ?? null)]
  const started = textAt(before, 'status', 'startTime') !== undefined
  const free = old['suspend'] === true && !started
  const template = free ? withSchedulingOf(old['template'], spec['template']) : old['template']
  return [
    ...specWithSelectorProblems(spec),
    ...completionsProblems(spec, old),
    ...same('selector'),
    ...(equal(spec['template'], template) ? [] : [immutable('spec.template', spec['template'])]),
    ...fixed.flatMap(same),
  ]
}

/** What a Job that has not begun may still change: where its pods run and what they are called. */
function withSchedulingOf(old: unknown, next: unknown): unknown {
  if (!isTree(old) || !isTree(next)) return old
  const { labels, annotations } = treeAt(next, 'metadata') ?? {}
  const nextSpec = treeAt(next, 'spec') ?? {}
  const spec: Tree = { ...treeAt(old, 'spec') }
  for (const member of ['nodeSelector', 'tolerations', 'schedulingGates']) spec[member] = nextSpec[member]
  const affinity: Tree = { ...treeAt(old, 'spec', 'affinity') }
  delete affinity['nodeAffinity']
  const node = treeAt(nextSpec, 'affinity', 'nodeAffinity')
  if (node) affinity['nodeAffinity'] = node
  spec['affinity'] = nextSpec['affinity'] === undefined && Object.keys(affinity).length === 0 ? undefined : affinity
  return { ...old, metadata: { ...treeAt(old, 'metadata'), labels, annotations }, spec }
}

function completionsProblems(spec: Tree, old: Tree): FieldProblem[] {
  if (equal(spec['completions'], old['completions'])) return []
  if (spec['completionMode'] !== 'Indexed') return [immutable('spec.completions', spec['completions'] ?? null)]
  if (spec['completions'] === undefined || spec['completions'] === spec['parallelism']) return []
  return [invalid('spec.completions', spec['completions'], 'can only be modified in tandem with spec.parallelism')]
}

function generatedSelectorProblems(job: KubeObject): FieldProblem[] {
  const selector = at(job, 'spec', 'selector')
  if (at(job, 'spec', 'manualSelector') === true || !isTree(selector)) return []
  const { name = '', uid = '' } = job.metadata
  const expected: [string, string][] = [
    ['controller-uid', uid],
    ['job-name', name],
    ['batch.kubernetes.io/controller-uid', uid],
    ['batch.kubernetes.io/job-name', name],
  ]
  const labels = labelsOf(job['spec']) ?? {}
  const out = expected.flatMap(([label, value]) => labelProblem(labels, label, value))
  const requirements = readLabelSelector(selector)
  if (requirements && !matchesLabels(requirements, Object.fromEntries(expected)))
    out.push(invalid('spec.selector', selector, '`selector` not auto-generated'))
  return out
}

/** The labels of the pods in order, as Go prints a map. */
function labelsOf(spec: unknown): Readonly<Record<string, string>> | undefined {
  if (!treeAt(spec, 'template', 'metadata', 'labels')) return undefined
  const labels = Object.entries(textMapAt(spec, 'template', 'metadata', 'labels'))
  return Object.fromEntries(labels.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function labelProblem(labels: Readonly<Record<string, string>>, label: string, value: string): FieldProblem[] {
  const field = 'spec.template.metadata.labels'
  const found = Object.hasOwn(labels, label) ? labels[label] : undefined
  if (found === undefined) return [required(`${field}[${label}]`, `must be '${value}'`)]
  return found === value ? [] : [invalid(`${field}[${label}]`, labels, `must be '${value}'`)]
}

function specWithSelectorProblems(spec: unknown): FieldProblem[] {
  const selector = at(spec, 'selector')
  const out = jobSpecProblems(spec, 'spec')
  if (isTree(selector)) out.push(...labelSelectorProblems(selector, 'spec.selector'))
  else out.push(required('spec.selector'))
  const requirements = readLabelSelector(selector)
  const fits = requirements && matchesLabels(requirements, textMapAt(spec, 'template', 'metadata', 'labels'))
  // Of an expression that cannot be read nothing more is said.
  if (!fits && (requirements || !isTree(selector)))
    out.push(invalid('spec.template.metadata.labels', labelsOf(spec), '`selector` does not match template `labels`'))
  return out
}

const negative = 'must be greater than or equal to 0'

/** Of a Job's spec or of the one in a CronJob's template; its selector aside. */
export function jobSpecProblems(spec: unknown, path: string): FieldProblem[] {
  const counts = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished']
  const notNegative = (member: string) => {
    const value = numberAt(spec, member)
    return value !== undefined && value < 0 ? [invalid(`${path}.${member}`, value, negative)] : []
  }
  const perIndex = at(spec, 'backoffLimitPerIndex') !== undefined
  return [
    ...[...counts, 'backoffLimitPerIndex', 'maxFailedIndexes'].flatMap(notNegative),
    ...(at(spec, 'maxFailedIndexes') !== undefined && !perIndex
      ? [required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')]
      : []),
    ...managedByProblems(spec, path),
    ...completionModeProblems(spec, path),
    ...(treeAt(spec, 'podFailurePolicy') ? podFailurePolicyProblems(spec, path) : []),
    ...(treeAt(spec, 'successPolicy') ? successPolicyProblems(spec, path) : []),
    ...replacementProblems(spec, path),
    ...podTemplateProblems(at(spec, 'template'), `${path}.template`),
    ...restartProblems(spec, `${path}.template.spec.restartPolicy`),
  ]
}

function managedByProblems(spec: unknown, path: string): FieldProblem[] {
  const name = textAt(spec, 'managedBy')
  if (name === undefined) return []
  const field = `${path}.managedBy`
  const out: FieldProblem[] = []
  const slash = name.indexOf('/')
  const [host, rest] = [name.slice(0, slash), name.slice(slash + 1)]
  const wrongHost = dnsSubdomainProblem(host)
  if (name === '') out.push(required(field))
  else if (slash < 1 || rest === '')
    out.push(invalid(field, name, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  else {
    if (wrongHost) out.push(invalid(field, host, wrongHost))
    if (!new RegExp(`^${httpPath}$`).test(rest))
      out.push(invalid(field, rest, `Invalid path (regex used for validation is '${httpPath}')`))
  }
  if (name.length > maxManagedBy) out.push(tooLong(field, maxManagedBy))
  return out
}

function completionModeProblems(spec: unknown, path: string): FieldProblem[] {
  const mode = textAt(spec, 'completionMode')
  if (mode === 'Indexed') return indexedProblems(spec, path)
  if (mode !== undefined && mode !== 'NonIndexed')
    return [notSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed'])]
  return ['backoffLimitPerIndex', 'maxFailedIndexes'].flatMap((member) => {
    const value = numberAt(spec, member)
    return value === undefined ? [] : [invalid(`${path}.${member}`, value, 'requires indexed completion mode')]
  })
}

function indexedProblems(spec: unknown, path: string): FieldProblem[] {
  const completions = numberAt(spec, 'completions')
  const parallelism = numberAt(spec, 'parallelism') ?? 0
  const failed = numberAt(spec, 'maxFailedIndexes')
  const out: FieldProblem[] = []
  if (completions === undefined) out.push(required(`${path}.completions`, 'when completion mode is Indexed'))
  if (parallelism > maxParallelismOfIndexed)
    out.push(
      invalid(
        `${path}.parallelism`,
        parallelism,
        `must be less than or equal to ${maxParallelismOfIndexed} when completion mode is Indexed`,
      ),
    )
  if (completions !== undefined && failed !== undefined && failed > completions)
    out.push(invalid(`${path}.maxFailedIndexes`, failed, 'must be less than or equal to completions'))
  if (failed !== undefined && failed > maxFailedIndexes)
    out.push(invalid(`${path}.maxFailedIndexes`, failed, `must be less than or equal to ${maxFailedIndexes}`))
  const many = (completions ?? 0) > manyCompletions && at(spec, 'backoffLimitPerIndex') !== undefined
  return many ? [...out, ...manyCompletionsProblems(path, parallelism, failed)] : out
}

function manyCompletionsProblems(path: string, parallelism: number, failed: number | undefined): FieldProblem[] {
  const why = `must be less than or equal to ${limitWithManyCompletions} when completions are above ${manyCompletions} and used with backoff limit per index`
  return [
    ...(failed === undefined
      ? [required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${manyCompletions}`)]
      : []),
    ...(parallelism > limitWithManyCompletions ? [invalid(`${path}.parallelism`, parallelism, why)] : []),
    ...(failed !== undefined && failed > limitWithManyCompletions
      ? [invalid(`${path}.maxFailedIndexes`, failed, why)]
      : []),
  ]
}

function replacementProblems(spec: unknown, path: string): FieldProblem[] {
  const policy = textAt(spec, 'podReplacementPolicy')
  if (policy === undefined) return []
  const supported = treeAt(spec, 'podFailurePolicy') ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  return supported.includes(policy) ? [] : [notSupported(`${path}.podReplacementPolicy`, policy, supported)]
}

function restartProblems(spec: unknown, field: string): FieldProblem[] {
  const policy = textAt(spec, 'template', 'spec', 'restartPolicy') ?? ''
  if (policy === '' || policy === 'Always') return [required(field, 'valid values: "OnFailure", "Never"')]
  if (policy !== 'OnFailure' && policy !== 'Never') return [notSupported(field, policy, ['OnFailure', 'Never'])]
  if (policy === 'Never' || !treeAt(spec, 'podFailurePolicy')) return []
  return [invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified')]
}
