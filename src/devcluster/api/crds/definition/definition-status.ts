/** What the API server says of a definition: which names it has, whether it is served. */
import type { KubeObject } from '../../../../kube/client.ts'
import { equal, type Tree, textAt, textsAt, treeAt, treesAt } from '../../tree.ts'

interface Condition {
  readonly type: string
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
}

/** `others` are the definitions of the same group. */
export function definitionStatus(
  crd: KubeObject,
  before: KubeObject | undefined,
  others: readonly KubeObject[],
  now: string,
): Tree {
  const { names, condition } = acceptedNames(crd, before, others)
  const wasServed = treesAt(before, 'status', 'conditions').some(
    ({ type, status }) => type === 'Established' && status === 'True',
  )
  const served = wasServed || condition.status === 'True'
  const established: Condition = served
    ? {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      }
    : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
  const stored = new Set(textsAt(before, 'status', 'storedVersions'))
  for (const version of treesAt(crd, 'spec', 'versions'))
    if (version['storage'] === true) stored.add(textAt(version, 'name') ?? '')
  return {
    acceptedNames: names,
    conditions: [condition, established].map((one) => since(one, before, now)),
    storedVersions: [...stored],
  }
}

/** A condition keeps the time of its last change. */
function since(condition: Condition, before: KubeObject | undefined, now: string): Tree {
  const known = treesAt(before, 'status', 'conditions').find((one) => one['type'] === condition.type)
  const same = known?.['status'] === condition.status
  const { type, status, reason, message } = condition
  return { type, status, lastTransitionTime: same ? known['lastTransitionTime'] : now, reason, message }
}

function acceptedNames(crd: KubeObject, before: KubeObject | undefined, others: readonly KubeObject[]) {
  const wanted = treeAt(crd, 'spec', 'names') ?? {}
  const own = treeAt(before, 'status', 'acceptedNames') ?? {}
  const taken = others.map((other) => treeAt(other, 'status', 'acceptedNames') ?? {})
  const resources = taken.flatMap((t) => [textAt(t, 'plural'), textAt(t, 'singular'), ...textsAt(t, 'shortNames')])
  const kinds = taken.flatMap((t) => [textAt(t, 'kind'), textAt(t, 'listKind')])
  let condition: Condition = {
    type: 'NamesAccepted',
    status: 'True',
    reason: 'NoConflicts',
    message: 'no conflicts found',
  }
  const names: Tree = { plural: '', kind: '', ...own }
  const refuse = (reason: string, message: string) => {
    condition = { type: 'NamesAccepted', status: 'False', reason, message }
  }
  for (const [member, used] of [
    ['plural', resources],
    ['singular', resources],
    ['shortNames', resources],
    ['kind', kinds],
    ['listKind', kinds],
  ] as const) {
    const values = member === 'shortNames' ? textsAt(wanted, member) : [textAt(wanted, member) ?? '']
    const had = member === 'shortNames' ? textsAt(own, member) : [textAt(own, member) ?? '']
    const lost = values.filter((value) => !had.includes(value) && used.includes(value))
    const words = lost.map((value) => `"${value}" is already in use`)
    if (lost.length > 0)
      refuse(
        `${member[0]?.toUpperCase()}${member.slice(1)}Conflict`,
        words.length === 1 ? (words[0] ?? '') : `[${words.join(', ')}]`,
      )
    else if (wanted[member] !== undefined) names[member] = wanted[member]
    else delete names[member]
  }
  if (wanted['categories'] !== undefined) names['categories'] = wanted['categories']
  return { names: equal(names, wanted) ? wanted : names, condition }
}
