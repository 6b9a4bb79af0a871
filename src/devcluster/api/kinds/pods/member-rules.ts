/** Rules that pods and their containers share. */
import { type FieldProblem, invalid, notSupported, required } from '../../field-problem.ts'
import { listAt, numberAt, type Tree, textAt } from '../../tree.ts'

export function choice(value: unknown, member: string, path: string, supported: readonly string[]): FieldProblem[] {
  const chosen = textAt(value, member)
  if (chosen === undefined || chosen === '') return [required(`${path}.${member}`)]
  return supported.includes(chosen) ? [] : [notSupported(`${path}.${member}`, chosen, supported)]
}

/** Users and groups are numbers of Linux. */
export function identityProblems(context: Tree | undefined, path: string): FieldProblem[] {
  const fits = (id: number) => id >= 0 && id < 2 ** 31
  const out = ['fsGroup', 'runAsUser', 'runAsGroup'].flatMap((member) => {
    const id = numberAt(context, member)
    return id === undefined || fits(id) ? [] : [invalid(`${path}.${member}`, id, idRange)]
  })
  for (const [index, id] of listAt(context, 'supplementalGroups').entries())
    if (typeof id === 'number' && !fits(id)) out.push(invalid(`${path}.supplementalGroups[${index}]`, id, idRange))
  return out
}

const idRange = 'must be between 0 and 2147483647, inclusive'
