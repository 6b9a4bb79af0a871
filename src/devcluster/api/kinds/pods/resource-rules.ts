/** What containers may ask for and be held to. */
import { type FieldProblem, invalid } from '../../field-problem.ts'
import { canonicalQuantity, parseQuantity } from '../../shapes/quantity.ts'
import { type Tree, treeAt } from '../../tree.ts'
import { qualifiedNameProblems } from '../names.ts'

const forContainers = (name: string) =>
  ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-')
const standard = (name: string) =>
  forContainers(name) ||
  /^(requests|limits)\./.test(name) ||
  ['pods', 'services', 'secrets', 'configmaps', 'storage', 'persistentvolumeclaims'].includes(name)

export function resourceProblems(container: Tree, path: string): FieldProblem[] {
  const limits = treeAt(container, 'resources', 'limits') ?? {}
  const requests = treeAt(container, 'resources', 'requests') ?? {}
  const out = Object.entries(limits).flatMap(([name, amount]) =>
    amountProblems(name, amount, `${path}.resources.limits`),
  )
  for (const [name, amount] of Object.entries(requests)) {
    out.push(...amountProblems(name, amount, `${path}.resources.requests`))
    const limit = parseQuantity(limits[name])
    const asked = parseQuantity(amount)
    if (limit && asked && asked.nanos > limit.nanos)
      out.push(
        invalid(
          `${path}.resources.requests`,
          canonicalQuantity(amount),
          `must be less than or equal to ${name} limit of ${canonicalQuantity(limits[name])}`,
        ),
      )
  }
  return out
}

function amountProblems(name: string, amount: unknown, path: string): FieldProblem[] {
  const field = `${path}[${name}]`
  const out = qualifiedNameProblems(name).map((why) => invalid(field, name, why))
  if (!name.includes('/')) {
    if (!standard(name)) out.push(invalid(field, name, 'must be a standard resource type or fully qualified'))
    if (!forContainers(name)) out.push(invalid(field, name, 'must be a standard resource for containers'))
  }
  if ((parseQuantity(amount)?.nanos ?? 0n) < 0n)
    out.push(invalid(field, canonicalQuantity(amount), 'must be greater than or equal to 0'))
  return out
}
