/** What a CustomResourceDefinition must be besides its schemas, with the API server's words and in its order. */
import type { KubeObject } from '../../../../kube/client.ts'
import {
  type FieldProblem,
  forbidden,
  immutable,
  invalid,
  notSupported,
  required,
  tooMany,
} from '../../field-problem.ts'
import { dns1035Problem, dnsSubdomainProblem } from '../../kinds/names.ts'
import { equal, type Tree, textAt, textsAt, treeAt, treesAt } from '../../tree.ts'
import { parseJsonPath } from '../json-path.ts'
import { readFieldPath } from '../validation/field-path.ts'
import { schemaDefinitionProblems } from './schema-rules.ts'

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']
const maxSelectableFields = 8

export function definitionProblems(crd: KubeObject, before: KubeObject | undefined): FieldProblem[] {
  const spec = treeAt(crd, 'spec') ?? {}
  const group = textAt(spec, 'group') ?? ''
  const out: FieldProblem[] = []
  if (crd.metadata.name !== `${textAt(spec, 'names', 'plural') ?? ''}.${group}`)
    out.push(invalid('metadata.name', crd.metadata.name, `must be spec.names.plural+"."+spec.group`))
  out.push(...groupProblems(group), ...scopeProblems(textAt(spec, 'scope') ?? ''), ...versionsProblems(spec))
  out.push(...namesProblems(spec), ...sharedProblems(spec), ...conversionProblems(spec))
  if (before) out.push(...changeProblems(crd, before))
  if (spec['preserveUnknownFields'] === true && treeAt(before, 'spec')?.['preserveUnknownFields'] !== true)
    out.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    )
  return [...out, ...storedVersionProblems(crd, spec)]
}

function groupProblems(group: string): FieldProblem[] {
  if (group === '') return [required('spec.group')]
  const problem = dnsSubdomainProblem(group)
  if (problem) return [invalid('spec.group', group, problem)]
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')]
}

function scopeProblems(scope: string): FieldProblem[] {
  const scopes = ['Cluster', 'Namespaced']
  if (scope === '') return [required('spec.scope', `must be one of "${scopes.join('", "')}"`)]
  return scopes.includes(scope) ? [] : [notSupported('spec.scope', scope, scopes)]
}

/** What all versions have alike the API server keeps, and complains of, once. */
function isShared(spec: Tree, member: string): boolean {
  const [first, ...rest] = treesAt(spec, 'versions')
  return first?.[member] !== undefined && rest.every((version) => equal(version[member], first[member]))
}

function versionsProblems(spec: Tree): FieldProblem[] {
  const versions = treesAt(spec, 'versions')
  const out: FieldProblem[] = []
  const sharedSchema = isShared(spec, 'schema')
  if (!sharedSchema)
    versions.forEach((version, index) => {
      if (!treeAt(version, 'schema', 'openAPIV3Schema'))
        out.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'))
    })
  versions.forEach((version, index) => {
    const path = `spec.versions[${index}]`
    const name = textAt(version, 'name') ?? ''
    const problem = dns1035Problem(name)
    if (problem) out.push(invalid(`${path}.name`, name, problem))
    out.push(...deprecationProblems(version, path))
    if (!sharedSchema) out.push(...versionSchemaProblems(version, `${path}.schema`))
    if (!isShared(spec, 'subresources')) out.push(...subresourceProblems(version, `${path}.subresources`))
    if (!isShared(spec, 'additionalPrinterColumns'))
      out.push(...columnProblems(version, `${path}.additionalPrinterColumns`))
    if (!isShared(spec, 'selectableFields')) out.push(...selectableProblems(version, `${path}.selectableFields`))
  })
  const names = versions.map((version) => textAt(version, 'name') ?? '')
  const complain = (words: string) => out.push(invalid('spec.versions', versions, words))
  if (new Set(names).size !== names.length) complain('must contain unique version names')
  if (versions.filter((version) => version['storage'] === true).length !== 1)
    complain('must have exactly one version marked as storage version')
  return out
}

/** What all versions share, at the path that the API server keeps it at. */
function sharedProblems(spec: Tree): FieldProblem[] {
  const [first] = treesAt(spec, 'versions')
  if (!first) return []
  const check = (member: string, problems: (version: Tree, path: string) => FieldProblem[], path: string) =>
    isShared(spec, member) ? problems(first, path) : []
  return [
    ...check('schema', versionSchemaProblems, 'spec.validation'),
    ...check('subresources', subresourceProblems, 'spec.subresources'),
    ...check('additionalPrinterColumns', columnProblems, 'spec.additionalPrinterColumns'),
    ...check('selectableFields', selectableProblems, 'spec.selectableFields'),
  ]
}

function versionSchemaProblems(version: Tree, path: string): FieldProblem[] {
  const schema = treeAt(version, 'schema', 'openAPIV3Schema')
  const hasStatus = treeAt(version, 'subresources', 'status') !== undefined
  return schema ? schemaDefinitionProblems(schema, `${path}.openAPIV3Schema`, hasStatus) : []
}

function deprecationProblems(version: Tree, path: string): FieldProblem[] {
  const warning = textAt(version, 'deprecationWarning')
  if (warning === undefined) return []
  const say = (words: string) => [invalid(`${path}.deprecationWarning`, warning, words)]
  if (version['deprecated'] !== true) return say('can only be set for deprecated versions')
  if (Buffer.byteLength(warning) > 256) return say('must be <= 256 characters long')
  if (warning === '') return say('must not be an empty string')
  const odd = /[\u0000-\u001f\u007f]/.exec(warning)
  const words = 'must only contain printable UTF-8 characters; non-printable character found at index'
  return odd ? say(`${words} ${odd.index}`) : []
}

function namesProblems(spec: Tree): FieldProblem[] {
  const names = treeAt(spec, 'names') ?? {}
  const out: FieldProblem[] = []
  const members = ['plural', 'singular', 'kind', 'listKind'] as const
  for (const member of members) if (!textAt(names, member)) out.push(required(`spec.names.${member}`))
  for (const member of members) {
    const value = textAt(names, member) ?? ''
    const mixed = member === 'kind' || member === 'listKind'
    const problem = value === '' ? undefined : dns1035Problem(mixed ? value.toLowerCase() : value)
    const words = mixed ? `may have mixed case, but should otherwise match: ${problem}` : (problem ?? '')
    if (problem) out.push(invalid(`spec.names.${member}`, value, words))
  }
  out.push(...labelsOf(names, 'shortNames'))
  const kind = textAt(names, 'kind')
  if (kind && kind === textAt(names, 'listKind'))
    out.push(invalid('spec.names.listKind', kind, 'kind and listKind may not be the same'))
  return [...out, ...labelsOf(names, 'categories')]
}

function labelsOf(names: Tree, member: string): FieldProblem[] {
  return textsAt(names, member).flatMap((value, index) => {
    const problem = dns1035Problem(value)
    return problem ? [invalid(`spec.names.${member}[${index}]`, value, problem)] : []
  })
}

function subresourceProblems(version: Tree, path: string): FieldProblem[] {
  const scale = treeAt(version, 'subresources', 'scale')
  if (!scale) return []
  const check = (member: string, roots: readonly string[], words: string): FieldProblem[] => {
    const value = textAt(scale, member) ?? ''
    const at = `${path}.scale.${member}`
    if (value === '') return member === 'labelSelectorPath' ? [] : [required(at)]
    if (!value.startsWith('.')) return [invalid(at, value, 'must be a simple json path starting with .')]
    return roots.some((root) => value.startsWith(root)) ? [] : [invalid(at, value, words)]
  }
  return [
    ...check('specReplicasPath', ['.spec.'], 'should be a json path under .spec'),
    ...check('statusReplicasPath', ['.status.'], 'should be a json path under .status'),
    ...check('labelSelectorPath', ['.spec.', '.status.'], 'should be a json path under either .spec or .status'),
  ]
}

function columnProblems(version: Tree, path: string): FieldProblem[] {
  return treesAt(version, 'additionalPrinterColumns').flatMap((column, index) => {
    const at = `${path}[${index}]`
    const out: FieldProblem[] = []
    const [type = '', format = '', text = ''] = ['type', 'format', 'jsonPath'].map((m) => textAt(column, m) ?? '')
    const oneOf = (values: readonly string[]) => `must be one of ${values.join(',')}`
    if (!textAt(column, 'name')) out.push(required(`${at}.name`))
    if (type === '') out.push(required(`${at}.type`, oneOf(columnTypes)))
    else if (!columnTypes.includes(type)) out.push(invalid(`${at}.type`, type, oneOf(columnTypes)))
    if (format !== '' && !columnFormats.includes(format))
      out.push(invalid(`${at}.format`, format, oneOf(columnFormats)))
    if (text === '') out.push(required(`${at}.JSONPath`))
    else if (!text.startsWith('.'))
      out.push(invalid(`${at}.JSONPath`, text, 'must be a simple json path starting with .'))
    else if (!parseJsonPath(text))
      out.push(invalid(`${at}.JSONPath`, text, 'the development cluster can not read this JSONPath'))
    return out
  })
}

function selectableProblems(version: Tree, path: string): FieldProblem[] {
  const schema = treeAt(version, 'schema', 'openAPIV3Schema') ?? {}
  const seen = new Set<string>()
  const out = treesAt(version, 'selectableFields').flatMap((selectable, index): FieldProblem[] => {
    const text = textAt(selectable, 'jsonPath') ?? ''
    const at = `${path}[${index}].jsonPath`
    if (text === '') return [required(at)]
    const found = readFieldPath(text, schema, false)
    if ('fault' in found) return [invalid(at, text, `is an invalid path: ${found.fault}`)]
    const problems: FieldProblem[] = []
    if (found.steps[0] === 'metadata') problems.push(invalid(at, text, 'must not point to fields in metadata'))
    if (!['string', 'boolean', 'integer'].includes(textAt(found.schema, 'type') ?? ''))
      problems.push(
        invalid(
          at,
          text,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      )
    if (seen.has(found.path))
      problems.push({ reason: 'FieldValueDuplicate', field: at, message: `Duplicate value: ${JSON.stringify(text)}` })
    seen.add(found.path)
    return problems
  })
  return seen.size > maxSelectableFields ? [...out, tooMany(path, seen.size, maxSelectableFields)] : out
}

function conversionProblems(spec: Tree): FieldProblem[] {
  const strategy = textAt(spec, 'conversion', 'strategy') ?? 'None'
  const at = 'spec.conversion.strategy'
  if (strategy === 'None') {
    const config = treeAt(spec, 'conversion', 'webhook')
    const words = 'should not be set when strategy is not set to Webhook'
    return config ? [forbidden('spec.conversion.webhookClientConfig', words)] : []
  }
  if (strategy === 'Webhook')
    return [forbidden(at, 'the development cluster does not call conversion webhooks; use the strategy None')]
  return [notSupported(at, strategy, ['None', 'Webhook'])]
}

function changeProblems(crd: KubeObject, before: KubeObject): FieldProblem[] {
  const wasEstablished = treesAt(before, 'status', 'conditions').some(
    (condition) => condition['type'] === 'Established' && condition['status'] === 'True',
  )
  const fields = [...(wasEstablished ? [['scope'], ['names', 'kind']] : []), ['group'], ['names', 'plural']]
  return fields.flatMap((path) => {
    const value = textAt(crd, 'spec', ...path)
    return value === textAt(before, 'spec', ...path) ? [] : [immutable(`spec.${path.join('.')}`, value)]
  })
}

function storedVersionProblems(crd: KubeObject, spec: Tree): FieldProblem[] {
  const names = treesAt(spec, 'versions').map((version) => textAt(version, 'name'))
  return textsAt(crd, 'status', 'storedVersions').flatMap((stored, index) => {
    if (names.includes(stored)) return []
    const words = `missing from spec.versions; ${stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${stored} and removes ${stored} from status.storedVersions`
    return [invalid(`status.storedVersions[${index}]`, stored, words)]
  })
}
