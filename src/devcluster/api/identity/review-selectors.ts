/**
 * The selectors a question about rights may carry. RBAC does not look at them, but what they say is checked, and what of
 * them is not understood is told (k8s.io/kubernetes/pkg/registry/authorization/util).
 */
import { type FieldProblem, forbidden, invalid, required } from '../field-problem.ts'
import { labelValueProblem, qualifiedNameProblem } from '../kinds/names.ts'
import { parseLabelSelector } from '../store/label-selector-text.ts'
import { type Tree, textAt, textsAt, treeAt, treesAt } from '../tree.ts'

type Side = 'fieldSelector' | 'labelSelector'
const where = 'spec.resourceAttributes'
const labelOperators = ['In', 'NotIn', 'Exists', 'DoesNotExist']

export function selectorProblems(review: Tree): readonly FieldProblem[] {
  const asked = treeAt(review, 'spec', 'resourceAttributes')
  return [...problemsOf(asked, 'fieldSelector'), ...problemsOf(asked, 'labelSelector')]
}

function problemsOf(asked: Tree | undefined, side: Side): readonly FieldProblem[] {
  const selector = treeAt(asked, side)
  if (!selector) return []
  const path = `${where}.${side}`
  const raw = textAt(selector, 'rawSelector') ?? ''
  const requirements = treesAt(selector, 'requirements')
  const out: FieldProblem[] = []
  if (raw !== '' && requirements.length > 0)
    out.push(invalid(`${path}.rawSelector`, raw, 'may not specified at the same time as requirements'))
  if (raw === '' && requirements.length === 0)
    out.push(required(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`))
  requirements.forEach((requirement, index) => {
    const at = `${path}.requirements[${index}]`
    out.push(
      ...(side === 'fieldSelector' ? fieldProblems(requirement, at) : labelRequirementProblems(requirement, at, false)),
    )
  })
  return out
}

function fieldProblems(requirement: Tree, path: string): readonly FieldProblem[] {
  const keyless = textAt(requirement, 'key') ? [] : [required(`${path}.key`, 'must be specified')]
  return [...keyless, ...valueProblems(requirement, path)]
}

/** `strict`: an operator that nobody knows is refused too. */
export function labelRequirementProblems(requirement: Tree, path: string, strict: boolean): readonly FieldProblem[] {
  const operator = textAt(requirement, 'operator') ?? ''
  const key = textAt(requirement, 'key') ?? ''
  const wrongKey = qualifiedNameProblem(key)
  return [
    ...valueProblems(requirement, path),
    ...(strict && !labelOperators.includes(operator)
      ? [invalid(`${path}.operator`, operator, 'not a valid selector operator')]
      : []),
    ...(wrongKey ? [invalid(`${path}.key`, key, wrongKey)] : []),
    ...textsAt(requirement, 'values').flatMap((value, index) => {
      const why = labelValueProblem(value)
      return why ? [invalid(`${path}.values[${index}]`, value, why)] : []
    }),
  ]
}

function valueProblems(requirement: Tree, path: string): readonly FieldProblem[] {
  const operator = textAt(requirement, 'operator') ?? ''
  const some = textsAt(requirement, 'values').length > 0
  if ((operator === 'In' || operator === 'NotIn') && !some)
    return [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")]
  if ((operator === 'Exists' || operator === 'DoesNotExist') && some)
    return [forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")]
  return []
}

/** What the API server would say of selectors that it cannot use; empty when it can. */
export function ignoredSelectors(asked: Tree | undefined): string {
  const sides: readonly Side[] = ['fieldSelector', 'labelSelector']
  return sides.flatMap((side) => ignoredPart(asked, side)).join('; ')
}

function ignoredPart(asked: Tree | undefined, side: Side): readonly string[] {
  const selector = treeAt(asked, side)
  if (!selector) return []
  const requirements = treesAt(selector, 'requirements')
  const raw = textAt(selector, 'rawSelector') ?? ''
  if (requirements.length === 0)
    return raw === '' || isReadable(raw, side) ? [] : [`${where}.${side} ignored due to parse error`]
  const usable = requirements.filter((requirement) =>
    side === 'labelSelector' ? isLabelRequirement(requirement) : isFieldRequirement(requirement),
  )
  if (usable.length === requirements.length) return []
  return [`${where}.${side} ${usable.length > 0 ? 'partially ' : ''}ignored due to parse error`]
}

const isLabelRequirement = (requirement: Tree) => labelOperators.includes(textAt(requirement, 'operator') ?? '')

/** Fields are compared with one value. */
function isFieldRequirement(requirement: Tree): boolean {
  const one = textsAt(requirement, 'values').length === 1
  return one && ['In', 'NotIn'].includes(textAt(requirement, 'operator') ?? '')
}

function isReadable(raw: string, side: Side): boolean {
  if (side === 'fieldSelector')
    return fieldTerms(raw).every((term) => /^([^=!]|!(?!=))*(==|!=|=)([^\\,=]|\\[\\,=])*$/.test(term))
  try {
    parseLabelSelector(raw)
    return true
  } catch {
    return false
  }
}

/** Split at the commas that no backslash hides. */
function fieldTerms(raw: string): readonly string[] {
  return (raw.match(/(?:\\.|[^,\\]|\\$)+/g) ?? []).filter((term) => term !== '')
}
