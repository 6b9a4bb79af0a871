/** CustomResourceDefinitions as objects: defaults, rules, status. */
import type { KubeObject } from '../../../kube/client.ts'
import { type FieldProblem, forbidden, immutable, invalid, notSupported, required } from '../field-problem.ts'
import type { BuiltInKind } from '../kinds/built-in.ts'
import { column, nameColumn } from '../kinds/columns.ts'
import { dns1035Problem, dnsSubdomainProblem } from '../kinds/names.ts'
import { ensureTree, setDefault, type Tree, textAt, textsAt, treeAt, treesAt } from '../tree.ts'
import { parseJsonPath } from './json-path.ts'
import { schemaDefinitionProblems } from './schema-rules.ts'

export const definitionCollection = 'customresourcedefinitions.apiextensions.k8s.io'

export function definitionKind(nowText: () => string): BuiltInKind {
  return {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    type: 'apiextensions.CustomResourceDefinition',
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    namespaced: false,
    subresources: { status: true },
    generation: 'spec',
    columns: [nameColumn, column('Created At', 'date', (crd) => crd.metadata.creationTimestamp ?? '')],
    fillDefaults: (crd) => {
      const names = ensureTree(crd, 'spec', 'names')
      const kind = textAt(names, 'kind') ?? ''
      setDefault(names, 'singular', kind.toLowerCase())
      setDefault(names, 'listKind', `${kind}List`)
      setDefault(ensureTree(crd, 'spec', 'conversion'), 'strategy', 'None')
    },
    prepareCreate: (crd) => {
      crd['status'] = statusOf(crd, nowText())
    },
    prepareUpdate: (crd, before) => {
      crd['status'] = statusOf(crd, nowText(), before)
    },
    validate: definitionProblems,
  }
}

function statusOf(crd: KubeObject, now: string, before?: KubeObject): Tree {
  const stored = new Set(textsAt(before, 'status', 'storedVersions'))
  for (const version of treesAt(crd, 'spec', 'versions'))
    if (version['storage'] === true) stored.add(textAt(version, 'name') ?? '')
  const conditions = treesAt(before, 'status', 'conditions')
  const condition = (type: string, reason: string, message: string) => ({
    type,
    status: 'True',
    lastTransitionTime: now,
    reason,
    message,
  })
  return {
    acceptedNames: treeAt(crd, 'spec', 'names') ?? {},
    conditions:
      conditions.length > 0
        ? conditions
        : [
            condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
            condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
          ],
    storedVersions: [...stored],
  }
}

function definitionProblems(crd: KubeObject, before: KubeObject | undefined): FieldProblem[] {
  const spec = treeAt(crd, 'spec')
  const group = textAt(spec, 'group') ?? ''
  const plural = textAt(spec, 'names', 'plural') ?? ''
  const scope = textAt(spec, 'scope') ?? ''
  const out: FieldProblem[] = []
  if (crd.metadata.name !== `${plural}.${group}`)
    out.push(invalid('metadata.name', crd.metadata.name, `must be spec.names.plural+"."+spec.group`))
  const groupProblem = group === '' ? undefined : dnsSubdomainProblem(group)
  if (group === '') out.push(required('spec.group'))
  else if (groupProblem) out.push(invalid('spec.group', group, groupProblem))
  else if (!group.includes('.')) out.push(invalid('spec.group', group, 'should be a domain with at least one dot'))
  if (scope !== 'Cluster' && scope !== 'Namespaced')
    out.push(scope === '' ? required('spec.scope') : notSupported('spec.scope', scope, ['Cluster', 'Namespaced']))
  out.push(...namesProblems(spec), ...conversionProblems(spec), ...versionsProblems(spec))
  if (spec?.['preserveUnknownFields'] === true)
    out.push(invalid('spec.preserveUnknownFields', true, 'must be false in order to use defaults in the schema'))
  if (before) {
    for (const [field, path] of [
      ['spec.group', ['spec', 'group']],
      ['spec.scope', ['spec', 'scope']],
      ['spec.names.kind', ['spec', 'names', 'kind']],
      ['spec.names.plural', ['spec', 'names', 'plural']],
    ] as const) {
      const value = textAt(crd, ...path)
      if (value !== textAt(before, ...path)) out.push(immutable(field, value))
    }
  }
  return out
}

function namesProblems(spec: Tree | undefined): FieldProblem[] {
  const names = treeAt(spec, 'names')
  return (['plural', 'singular', 'kind', 'listKind'] as const).flatMap((member) => {
    const value = textAt(names, member) ?? ''
    if (value === '') return [required(`spec.names.${member}`)]
    const problem = dns1035Problem(value.toLowerCase())
    return problem ? [invalid(`spec.names.${member}`, value, problem)] : []
  })
}

function conversionProblems(spec: Tree | undefined): FieldProblem[] {
  const strategy = textAt(spec, 'conversion', 'strategy') ?? 'None'
  if (strategy === 'None') return []
  if (strategy === 'Webhook')
    return [forbidden('spec.conversion.strategy', 'the development cluster does not call conversion webhooks')]
  return [notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook'])]
}

function versionsProblems(spec: Tree | undefined): FieldProblem[] {
  const versions = treesAt(spec, 'versions')
  const out: FieldProblem[] = []
  if (versions.filter((version) => version['storage'] === true).length !== 1)
    out.push(
      invalid(
        'spec.versions',
        versions.map((v) => v['name']),
        'must have exactly one version marked as storage version',
      ),
    )
  const seen = new Set<string>()
  versions.forEach((version, index) => {
    const path = `spec.versions[${index}]`
    const name = textAt(version, 'name') ?? ''
    const problem = dns1035Problem(name)
    if (problem) out.push(invalid(`${path}.name`, name, problem))
    if (seen.has(name)) out.push(invalid(`${path}.name`, name, 'must be unique'))
    seen.add(name)
    const schema = treeAt(version, 'schema', 'openAPIV3Schema')
    if (schema) out.push(...schemaDefinitionProblems(schema, `${path}.schema.openAPIV3Schema`))
    else out.push(required(`${path}.schema.openAPIV3Schema`, 'schemas are required'))
    out.push(...pathProblems(version, path))
  })
  return out
}

function pathProblems(version: Tree, path: string): FieldProblem[] {
  const out: FieldProblem[] = []
  treesAt(version, 'additionalPrinterColumns').forEach((printed, index) => {
    const text = textAt(printed, 'jsonPath') ?? ''
    const at = `${path}.additionalPrinterColumns[${index}]`
    if (!textAt(printed, 'name')) out.push(required(`${at}.name`))
    if (!parseJsonPath(text)) out.push(invalid(`${at}.jsonPath`, text, 'is not a JSONPath that is supported here'))
  })
  treesAt(version, 'selectableFields').forEach((field, index) => {
    const text = textAt(field, 'jsonPath') ?? ''
    if (!/^(\.[A-Za-z0-9_-]+)+$/.test(text))
      out.push(invalid(`${path}.selectableFields[${index}].jsonPath`, text, 'must be a simple path'))
  })
  return out
}
