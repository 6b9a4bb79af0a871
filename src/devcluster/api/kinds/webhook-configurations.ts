/** Webhook configurations. What the development cluster can't honour is refused here, never ignored. */
import type { KubeObject } from '../../../kube/client.ts'
import { compileCondition } from '../admission/match-conditions.ts'
import { CompilationError } from '../cel/expression.ts'
import { duplicate, type FieldProblem, forbidden, invalid, notSupported, required, tooMany } from '../field-problem.ts'
import { at, listAt, numberAt, setDefault, type Tree, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import type { BuiltInKind } from './built-in.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { qualifiedNameProblem } from './names.ts'

export const mutatingCollection = 'mutatingwebhookconfigurations.admissionregistration.k8s.io'
export const validatingCollection = 'validatingwebhookconfigurations.admissionregistration.k8s.io'

export const mutatingWebhookKind = configurationKind('Mutating', fillMutating)
export const validatingWebhookKind = configurationKind('Validating', fillWebhook)

function configurationKind(sort: 'Mutating' | 'Validating', fill: (webhook: Tree) => void): BuiltInKind {
  return {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    plural: `${sort.toLowerCase()}webhookconfigurations`,
    kind: `${sort}WebhookConfiguration`,
    type: `admissionregistration.${sort}WebhookConfiguration`,
    categories: ['api-extensions'],
    namespaced: false,
    generation: 'all',
    columns: [nameColumn, column('Webhooks', 'integer', (object) => listAt(object, 'webhooks').length), ageColumn],
    fillDefaults: (object) => {
      for (const webhook of treesAt(object, 'webhooks')) fill(webhook)
    },
    validate: (object) => configurationProblems(object, sort === 'Mutating'),
  }
}

function fillMutating(webhook: Tree): void {
  fillWebhook(webhook)
  setDefault(webhook, 'reinvocationPolicy', 'Never')
}

function fillWebhook(webhook: Tree): void {
  setDefault(webhook, 'failurePolicy', 'Fail')
  setDefault(webhook, 'matchPolicy', 'Equivalent')
  setDefault(webhook, 'namespaceSelector', {})
  setDefault(webhook, 'objectSelector', {})
  setDefault(webhook, 'timeoutSeconds', 10)
  for (const rule of treesAt(webhook, 'rules')) setDefault(rule, 'scope', '*')
  const service = treeAt(webhook, 'clientConfig', 'service')
  if (service) setDefault(service, 'port', 443)
}

function configurationProblems(object: KubeObject, mutating: boolean): FieldProblem[] {
  const seen = new Set<string>()
  return treesAt(object, 'webhooks').flatMap((webhook, index) => {
    const path = `webhooks[${index}]`
    const name = textAt(webhook, 'name') ?? ''
    const out = nameProblems(name, path)
    out.push(...ruleProblems(webhook, path), ...policyProblems(webhook, path, mutating))
    out.push(...clientProblems(webhook, path), ...conditionProblems(webhook, path), ...versionProblems(webhook, path))
    if (seen.has(name)) out.push(duplicate(`${path}.name`, name))
    seen.add(name)
    return out
  })
}

function nameProblems(name: string, path: string): FieldProblem[] {
  if (name === '') return [required(`${path}.name`)]
  if (name.split('.').length >= 3) return []
  return [invalid(`${path}.name`, name, 'should be a domain with at least three segments separated by dots')]
}

function clientProblems(webhook: Tree, path: string): FieldProblem[] {
  const at = `${path}.clientConfig`
  const client = treeAt(webhook, 'clientConfig')
  const url = textAt(client, 'url')
  const out: FieldProblem[] = []
  if ((url === undefined) === (treeAt(client, 'service') === undefined))
    out.push(required(at, 'exactly one of url or service is required'))
  if (treeAt(client, 'service'))
    out.push(forbidden(`${at}.service`, 'the development cluster has no network for Services; use clientConfig.url'))
  if (url !== undefined) out.push(...urlProblems(url, `${at}.url`))
  return out
}

function urlProblems(url: string, field: string): FieldProblem[] {
  const form = '; desired format: https://host[/path]'
  if (!URL.canParse(url)) return [required(field, `url must be a valid URL: parse ${JSON.stringify(url)}${form}`)]
  const parsed = new URL(url)
  const out: FieldProblem[] = []
  if (parsed.protocol !== 'https:')
    out.push(invalid(field, parsed.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`))
  if (parsed.username !== '') out.push(invalid(field, parsed.username, 'user information is not permitted in the URL'))
  if (parsed.hash !== '') out.push(invalid(field, parsed.hash.slice(1), 'fragments are not permitted in the URL'))
  if (parsed.search !== '')
    out.push(invalid(field, parsed.search.slice(1), 'query parameters are not permitted in the URL'))
  return out
}

const policies: Readonly<Record<string, readonly string[]>> = {
  failurePolicy: ['Fail', 'Ignore'],
  matchPolicy: ['Equivalent', 'Exact'],
  reinvocationPolicy: ['IfNeeded', 'Never'],
  sideEffects: ['None', 'NoneOnDryRun'],
}

function policyProblems(webhook: Tree, path: string, mutating: boolean): FieldProblem[] {
  const out: FieldProblem[] = []
  for (const [member, supported] of Object.entries(policies)) {
    if (member === 'reinvocationPolicy' && !mutating) continue
    const value = textAt(webhook, member)
    if (value === undefined) out.push(required(`${path}.${member}`, `must specify one of ${supported.join(', ')}`))
    else if (!supported.includes(value)) out.push(notSupported(`${path}.${member}`, value, supported))
  }
  const seconds = numberAt(webhook, 'timeoutSeconds') ?? 10
  if (seconds < 1 || seconds > 30)
    out.push(invalid(`${path}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds'))
  return out
}

function versionProblems(webhook: Tree, path: string): FieldProblem[] {
  const versions = textsAt(webhook, 'admissionReviewVersions')
  const at = `${path}.admissionReviewVersions`
  if (versions.length === 0) return [required(at, 'must specify one of v1, v1beta1')]
  if (versions.includes('v1')) return []
  if (versions.includes('v1beta1'))
    return [forbidden(at, 'the development cluster asks webhooks only in version v1 of AdmissionReview')]
  return [invalid(at, versions, 'must include at least one of v1, v1beta1')]
}

const maxConditions = 64

function conditionProblems(webhook: Tree, path: string): FieldProblem[] {
  const conditions = treesAt(webhook, 'matchConditions')
  const at = `${path}.matchConditions`
  const out: FieldProblem[] = conditions.length > maxConditions ? [tooMany(at, conditions.length, maxConditions)] : []
  const seen = new Set<string>()
  conditions.forEach((condition, index) => {
    const here = `${at}[${index}]`
    const text = (textAt(condition, 'expression') ?? '').trim()
    const fault = text === '' ? undefined : compilationFault(text)
    if (text === '') out.push(required(`${here}.expression`))
    else if (fault !== undefined) out.push(invalid(`${here}.expression`, text, fault))
    const name = textAt(condition, 'name') ?? ''
    const problem = name === '' ? undefined : qualifiedNameProblem(name)
    if (name === '') out.push(required(`${here}.name`))
    else if (problem) out.push(invalid(`${here}.name`, name, problem))
    if (name !== '' && seen.has(name)) out.push(duplicate(`${here}.name`, name))
    seen.add(name)
  })
  return out
}

function compilationFault(text: string): string | undefined {
  try {
    compileCondition(text)
    return undefined
  } catch (error) {
    if (error instanceof CompilationError) return error.message
    throw error
  }
}

function ruleProblems(webhook: Tree, path: string): FieldProblem[] {
  return treesAt(webhook, 'rules').flatMap((rule, index) => {
    const below = `${path}.rules[${index}]`
    const out: FieldProblem[] = []
    for (const member of ['operations', 'apiGroups', 'apiVersions', 'resources'])
      if (listAt(rule, member).length === 0) out.push(required(`${below}.${member}`))
    for (const operation of textsAt(rule, 'operations'))
      if (!['*', 'CREATE', 'UPDATE', 'DELETE', 'CONNECT'].includes(operation))
        out.push(notSupported(`${below}.operations`, operation, ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']))
    const scope = at(rule, 'scope')
    if (scope !== '*' && scope !== 'Cluster' && scope !== 'Namespaced')
      out.push(notSupported(`${below}.scope`, scope, ['*', 'Cluster', 'Namespaced']))
    return out
  })
}
