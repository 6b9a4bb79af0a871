/**
 * Which schemas a definition may have, with the API server's paths and words (apis/apiextensions/validation). First the
 * structure, then defaults, then keywords, and the rules in CEL only beside a schema that is right.
 */
import { type FieldProblem, forbidden, invalid, notSupported, required } from '../../field-problem.ts'
import { isTree, listAt, type Tree, textAt, textsAt, treeAt, treesAt } from '../../tree.ts'
import { readFieldPath } from '../validation/field-path.ts'
import { compileRules } from '../validation/validation-rules.ts'
import { defaultProblems } from './default-rules.ts'
import { structuralProblems } from './structural-rules.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']
/** At the root, beside a status subresource, only these: each can be had for the status alone. */
const rootMembers =
  'description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems multipleOf required items properties externalDocs example x-kubernetes-preserve-unknown-fields x-kubernetes-validations'.split(
    ' ',
  )
const rootMembersShown =
  '[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]'

export function schemaDefinitionProblems(schema: Tree, path: string, hasStatus: boolean): FieldProblem[] {
  const out = hasStatus ? rootProblems(schema, path) : []
  if (schema['nullable'] === true) out.push(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'))
  const structural = structuralProblems(schema, path)
  const wrong = structural.length > 0 ? structural : defaultProblems(schema, path)
  out.push(...wrong)
  const found = walk(schema, path, { isRoot: true, withRules: wrong.length === 0 })
  return [...out, ...found.keywords, ...found.rules]
}

function rootProblems(schema: Tree, path: string): FieldProblem[] {
  const type = textAt(schema, 'type')
  const words = 'is allowed as the type at the root of the schema if the status subresource is enabled'
  if (type !== undefined && type !== 'object') return [invalid(`${path}.type`, type, `only "object" ${words}`)]
  const odd = Object.keys(schema).some((member) => !rootMembers.includes(member) && schema[member] !== false)
  if (!odd) return []
  const only = `only ${rootMembersShown} fields are allowed at the root of the schema if the status subresource is enabled`
  return [{ reason: 'FieldValueInvalid', field: path, message: `Invalid value: ${JSON.stringify(schema)}: ${only}` }]
}

interface Context {
  readonly isRoot: boolean
  /** False where conditions or faults make rules meaningless. */
  readonly withRules: boolean
  readonly insideMetadata?: boolean
  readonly noDefaults?: string
  /** The part above whose items can't be told from before. */
  readonly uncorrelated?: string
}
interface Found {
  readonly keywords: FieldProblem[]
  readonly rules: FieldProblem[]
}

function walk(schema: Tree, path: string, context: Context): Found {
  const found: Found = { keywords: keywordProblems(schema, path, context), rules: [] }
  const below = (part: Tree, at: string, more: Partial<Context> = {}) => {
    const inner = walk(part, at, { ...context, isRoot: false, ...more })
    found.keywords.push(...inner.keywords)
    found.rules.push(...inner.rules)
  }
  const additional = treeAt(schema, 'additionalProperties')
  if (additional)
    below(
      additional,
      `${path}.additionalProperties`,
      context.insideMetadata ? { noDefaults: 'inside additionalProperties applying to object metadata' } : {},
    )
  for (const [name, property] of Object.entries(treeAt(schema, 'properties') ?? {}))
    if (isTree(property)) below(property, `${path}.properties[${name}]`, memberContext(schema, name, path, context))
  const not = treeAt(schema, 'not')
  if (not) below(not, `${path}.not`, { withRules: false })
  for (const keyword of ['allOf', 'oneOf', 'anyOf'])
    listAt(schema, keyword).forEach((one, index) => {
      if (isTree(one)) below(one, `${path}.${keyword}[${index}]`, { withRules: false })
    })
  const items = treeAt(schema, 'items')
  const isMap = textAt(schema, 'x-kubernetes-list-type') === 'map'
  if (items) below(items, `${path}.items`, isMap ? {} : { uncorrelated: context.uncorrelated ?? path })
  found.keywords.push(...listProblems(schema, path), ...ruleTextProblems(schema, path))
  if (found.keywords.length === 0 && context.withRules) found.rules.push(...ruleProblems(schema, path, context))
  return found
}

function memberContext(schema: Tree, name: string, path: string, context: Context): Partial<Context> {
  const mapType = textAt(schema, 'x-kubernetes-map-type')
  const correlated = mapType === undefined || mapType === 'granular' || mapType === 'atomic'
  const isMeta = ['metadata', 'kind', 'apiVersion'].includes(name)
  const inside = isMeta && (context.isRoot || schema['x-kubernetes-embedded-resource'] === true)
  return {
    ...(correlated ? {} : { uncorrelated: context.uncorrelated ?? path }),
    ...(inside ? { insideMetadata: true } : {}),
    ...(inside && context.isRoot ? { noDefaults: `in top-level ${name}` } : {}),
  }
}

const unsupported = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref']

function keywordProblems(schema: Tree, path: string, context: Context): FieldProblem[] {
  const out: FieldProblem[] = []
  const type = textAt(schema, 'type') ?? ''
  if (type !== '' && !types.includes(type)) out.push(notSupported(`${path}.type`, type, types))
  if (schema['default'] !== undefined && context.noDefaults !== undefined)
    out.push(forbidden(`${path}.default`, `must not be set ${context.noDefaults}`))
  for (const keyword of unsupported)
    if (schema[keyword] !== undefined) out.push(forbidden(`${path}.${keyword}`, `${keyword} is not supported`))
  if (type === 'null') out.push(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'))
  if (Array.isArray(schema['items']))
    out.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'))
  if (context.insideMetadata && schema['x-kubernetes-embedded-resource'] === true)
    out.push(forbidden(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta'))
  if (schema['uniqueItems'] === true)
    out.push(
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
  const additional = schema['additionalProperties']
  if (Object.keys(treeAt(schema, 'properties') ?? {}).length > 0 && (additional === false || isTree(additional)))
    out.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  return out
}

function listProblems(schema: Tree, path: string): FieldProblem[] {
  const out: FieldProblem[] = []
  const type = textAt(schema, 'type') ?? ''
  const mapType = textAt(schema, 'x-kubernetes-map-type')
  const listType = textAt(schema, 'x-kubernetes-list-type')
  const keys = textsAt(schema, 'x-kubernetes-list-map-keys')
  const mustBe = (wanted: string, member: string) => {
    const words = `must be ${wanted} if ${member} is specified`
    out.push(type === '' ? required(`${path}.type`, words) : invalid(`${path}.type`, type, words))
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    out.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'))
  if (mapType !== undefined && type !== 'object') mustBe('object', 'x-kubernetes-map-type')
  if (mapType !== undefined && !['atomic', 'granular'].includes(mapType))
    out.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular']))
  if (listType !== undefined && type !== 'array') mustBe('array', 'x-kubernetes-list-type')
  else if (listType === 'set') out.push(...setProblems(treeAt(schema, 'items'), path))
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    out.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']))
  if (keys.length > 0 && listType !== 'map') {
    const words = 'must be map if x-kubernetes-list-map-keys is non-empty'
    const at = `${path}.x-kubernetes-list-type`
    out.push(listType === undefined ? required(at, words) : invalid(at, listType, words))
  }
  if (listType === 'map') out.push(...mapProblems(schema, keys, path))
  if (listType === 'map' || listType === 'set') out.push(...nullProblems(schema, keys, listType, path))
  return out
}

function setProblems(items: Tree | undefined, path: string): FieldProblem[] {
  const words = 'must be atomic as item of a list with x-kubernetes-list-type=set'
  const listType = textAt(items, 'x-kubernetes-list-type')
  if (textAt(items, 'type') === 'array' && listType !== undefined && listType !== 'atomic')
    return [invalid(`${path}.items.x-kubernetes-list-type`, listType, words)]
  if (textAt(items, 'type') === 'object' && textAt(items, 'x-kubernetes-map-type') !== 'atomic')
    return [invalid(`${path}.items.x-kubernetes-map-type`, listType ?? null, words)]
  return []
}

function mapProblems(schema: Tree, keys: readonly string[], path: string): FieldProblem[] {
  const out: FieldProblem[] = []
  const items = treeAt(schema, 'items')
  const at = `${path}.x-kubernetes-list-map-keys`
  if (keys.length === 0) out.push(required(at, 'must not be empty if x-kubernetes-list-type is map'))
  if (!items) return [...out, required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map')]
  const type = textAt(items, 'type') ?? ''
  if (type !== 'object') {
    const words = "must be object if parent array's x-kubernetes-list-type is map"
    return [...out, invalid(`${path}.items.type`, type, words)]
  }
  const seen = new Set<string>()
  for (const key of keys) {
    const property = treeAt(items, 'properties', key)
    const keyType = textAt(property, 'type')
    if (!property) out.push(invalid(at, keys, 'entries must all be names of item properties'))
    else if (keyType === 'array' || keyType === 'object')
      out.push(
        invalid(
          `${path}.items.properties[${key}].type`,
          type,
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      )
    if (seen.has(key)) out.push(invalid(at, keys, 'must not contain duplicate entries'))
    seen.add(key)
  }
  return out
}

function nullProblems(schema: Tree, keys: readonly string[], listType: string, path: string): FieldProblem[] {
  const items = treeAt(schema, 'items')
  if (!items) return []
  const out: FieldProblem[] = []
  if (items['nullable'] === true)
    out.push(forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`))
  if (listType !== 'map') return out
  const isKey = 'this property is in x-kubernetes-list-map-keys, so it'
  for (const key of keys) {
    const property = treeAt(items, 'properties', key)
    const at = `${path}.items.properties[${key}]`
    if (property && !textsAt(items, 'required').includes(key) && property['default'] === undefined)
      out.push(required(`${at}.default`, `${isKey} must have a default or be a required property`))
    if (property?.['nullable'] === true) out.push(forbidden(`${at}.nullable`, `${isKey} cannot be nullable`))
  }
  return out
}

/** What can be said of a rule without understanding it. */
function ruleTextProblems(schema: Tree, path: string): FieldProblem[] {
  return treesAt(schema, 'x-kubernetes-validations').flatMap((rule, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`
    const expression = textAt(rule, 'messageExpression') ?? ''
    const reason = textAt(rule, 'reason')
    return [
      ...messageProblems(rule, at),
      ...(expression !== '' && expression.trim() === ''
        ? [required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified')]
        : []),
      ...(reason !== undefined && !reasons.includes(reason) ? [notSupported(`${at}.reason`, reason, reasons)] : []),
      ...fieldPathProblems(schema, textAt(rule, 'fieldPath') ?? '', `${at}.fieldPath`),
    ]
  })
}

const hasLines = (value: string) => /[\n\r]/.test(value)

function messageProblems(rule: Tree, at: string): FieldProblem[] {
  const text = (textAt(rule, 'rule') ?? '').trim()
  const message = textAt(rule, 'message') ?? ''
  if (text === '') return [required(`${at}.rule`, 'rule is not specified')]
  if (message !== '' && message.trim() === '')
    return [invalid(`${at}.message`, message, 'must be non-empty if specified')]
  if (hasLines(message.trim())) return [invalid(`${at}.message`, message, 'must not contain line breaks')]
  if (hasLines(text) && message.trim() === '')
    return [required(`${at}.message`, 'message must be specified if rule contains line breaks')]
  return []
}

function fieldPathProblems(schema: Tree, fieldPath: string, at: string): FieldProblem[] {
  if (fieldPath === '') return []
  const out: FieldProblem[] = []
  if (fieldPath.trim() === '') out.push(invalid(at, fieldPath, 'must be non-empty if specified'))
  if (hasLines(fieldPath)) out.push(invalid(at, fieldPath, 'must not contain line breaks'))
  if ('fault' in readFieldPath(fieldPath, schema)) out.push(invalid(at, fieldPath, 'must be a valid path'))
  return out
}

function ruleProblems(schema: Tree, path: string, context: Context): FieldProblem[] {
  const written = treesAt(schema, 'x-kubernetes-validations')
  return compileRules(schema, context.isRoot).flatMap((compiled, index) => {
    const rule = written[index] ?? {}
    const at = `${path}.x-kubernetes-validations[${index}]`
    const out: FieldProblem[] = []
    if (compiled.fault !== undefined) out.push(ruleFault(`${at}.rule`, rule, compiled.fault))
    if (compiled.messageFault !== undefined) out.push(ruleFault(`${at}.messageExpression`, rule, compiled.messageFault))
    if (compiled.usesOldSelf && context.uncorrelated !== undefined)
      out.push(
        invalid(
          `${at}.rule`,
          textAt(rule, 'rule'),
          `oldSelf cannot be used on the uncorrelatable portion of the schema within ${context.uncorrelated}`,
        ),
      )
    else if (!compiled.usesOldSelf && typeof rule['optionalOldSelf'] === 'boolean')
      out.push(
        invalid(`${at}.optionalOldSelf`, rule['optionalOldSelf'], 'may not be set if oldSelf is not used in rule'),
      )
    return out
  })
}

/** Shows the whole rule, as Go's encoder writes its internal form. */
function ruleFault(field: string, rule: Tree, words: string): FieldProblem {
  const shown = {
    Rule: textAt(rule, 'rule') ?? '',
    Message: textAt(rule, 'message') ?? '',
    MessageExpression: textAt(rule, 'messageExpression') ?? '',
    Reason: textAt(rule, 'reason') ?? null,
    FieldPath: textAt(rule, 'fieldPath') ?? '',
    OptionalOldSelf: rule['optionalOldSelf'] ?? null,
  }
  const text = JSON.stringify(shown).replace(
    /[<>&\u2028\u2029]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${text}: ${words}` }
}
