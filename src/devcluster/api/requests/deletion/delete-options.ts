/** DeleteOptions: from the body, or from the query when there is none (k8s.io/apiserver/pkg/endpoints/handlers). */
import { type FieldProblem, invalid, notSupported } from '../../field-problem.ts'
import { checkShape } from '../../shapes/check-shape.ts'
import type { Field, Scalar, Shape } from '../../shapes/shape.ts'
import { invalidObject, StatusError } from '../../status.ts'
import { at, isTree, numberAt, type Tree, textAt, textsAt } from '../../tree.ts'
import type { RequestContext } from '../context.ts'
import { flag, integer } from '../reading/list-options.ts'

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagationPolicy?: string
  /** The older way to say it; false is in the background. */
  readonly orphanDependents?: boolean
  readonly dryRun: boolean
}

const field = (shape: Shape): Field => ({ shape, retainKeys: false })
const scalar = (type: Scalar): Field => field({ kind: 'scalar', type })
const texts = field({ kind: 'list', of: { kind: 'scalar', type: 'text' }, mergeSet: false, owned: 'atomic' })
const struct = (name: string, fields: Record<string, Field>): Shape => ({
  kind: 'struct',
  name,
  atomic: false,
  fields: new Map(Object.entries(fields)),
})
const shape = struct('meta.DeleteOptions', {
  apiVersion: scalar('text'),
  kind: scalar('text'),
  gracePeriodSeconds: scalar('integer'),
  preconditions: field(struct('meta.Preconditions', { uid: scalar('text'), resourceVersion: scalar('text') })),
  orphanDependents: scalar('boolean'),
  propagationPolicy: scalar('text'),
  dryRun: texts,
  ignoreStoreReadErrorWithClusterBreakingPotential: scalar('boolean'),
})

/** `read` turns a body into a tree. The query counts only when there is no body. */
export async function deleteOptionsOf(context: RequestContext, read: () => Promise<Tree>): Promise<DeleteOptions> {
  if (context.body.trim() === '') return optionsOf(treeOfQuery(context.query))
  const body = await read().catch((error: unknown) => {
    if (!(error instanceof StatusError) || error.code !== 400) throw error
    // What can't be read here is not taken for the client's fault.
    throw new StatusError(500, '', error.message.replace(/^.*?(couldn't get version\/kind)/, '$1'))
  })
  return deleteOptionsIn(body)
}

/** Of a document that holds them. */
export function deleteOptionsIn(body: Tree): DeleteOptions {
  const { kind = 'DeleteOptions', apiVersion = 'v1' } = body
  if (kind !== 'DeleteOptions')
    throw unreadable(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:110"`,
    )
  const options = structuredClone(body)
  const { wrongTypes } = checkShape(options, shape)
  if (wrongTypes[0] !== undefined) throw unreadable(wrongTypes[0])
  return optionsOf(options)
}

const unreadable = (message: string) => new StatusError(500, '', message)

function treeOfQuery(query: URLSearchParams): Tree {
  const grace = query.get('gracePeriodSeconds')
  const orphan = flag(query, 'orphanDependents')
  const policy = query.get('propagationPolicy')
  return {
    ...(grace ? { gracePeriodSeconds: integer(grace) } : {}),
    ...(orphan === undefined ? {} : { orphanDependents: orphan }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    dryRun: query.getAll('dryRun'),
  }
}

const policies = ['Foreground', 'Background', 'Orphan']

function optionsOf(tree: Tree): DeleteOptions {
  const grace = numberAt(tree, 'gracePeriodSeconds')
  const policy = textAt(tree, 'propagationPolicy')
  const orphan = at(tree, 'orphanDependents')
  const dryRun = textsAt(tree, 'dryRun')
  const problems: FieldProblem[] = []
  if (typeof orphan === 'boolean' && policy !== undefined)
    problems.push(invalid('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'))
  if (policy !== undefined && !policies.includes(policy))
    problems.push(notSupported('propagationPolicy', policy, [...policies, 'nil']))
  if (dryRun.some((value) => value !== 'All')) problems.push(notSupported('dryRun', dryRun, ['All']))
  if (problems.length > 0) throw invalidObject({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', problems)
  const preconditions = isTree(tree['preconditions']) ? tree['preconditions'] : {}
  const uid = textAt(preconditions, 'uid')
  const resourceVersion = textAt(preconditions, 'resourceVersion')
  return {
    // A negative time is the shortest.
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace < 0 ? 1 : grace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(typeof orphan === 'boolean' ? { orphanDependents: orphan } : {}),
    dryRun: dryRun.length > 0,
  }
}
