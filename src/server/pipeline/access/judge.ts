/** Policy: may this caller do this here? An update of something that is not there counts as its creation. */
import type { Fields } from '../../contracts/fields.ts'
import { Refusal } from '../../contracts/request.ts'
import type { Denial } from '../../policies/explain/denials.ts'
import { type Exchange, operationName } from '../exchange.ts'

const denied = () => new Refusal(403, '1 error occurred:\n\t* permission denied\n\n')

/** Refuses (403) what policy does not allow; `call` must have been made. */
export function judge(x: Exchange): void | Promise<void> {
  if (!x.token) return
  // Who may be nobody is not asked for rights: the operation looks at the caller itself.
  if (x.operation?.access === 'optional') return
  // Help about a path is for every token.
  if (x.incoming.verb === 'help') return
  const exists = x.incoming.verb === 'update' ? x.match?.route.exists : undefined
  if (exists && x.call && x.operation && !(x.converted instanceof Refusal)) {
    return exists(x.call).then((existed) => judgeExisting(x, existed))
  }
  decide(x)
}

/** Also asked from within a transaction that finds that it is otherwise. */
export function judgeExisting(x: Exchange, existed: boolean): void {
  x.existed = existed
  if (x.call) x.call.operation = existed ? 'update' : 'create'
  decide(x)
}

function decide(x: Exchange): void {
  if (!x.acl) throw denied()
  const operation = operationName(x)
  const verdict = x.acl.check({
    path: x.path,
    operation: isPolicyOperation(operation) ? operation : 'read',
    input: x.given,
    ...(x.wrapTtlMs > 0 ? { wrapTtlMs: x.wrapTtlMs } : {}),
  })
  const lacksSudo = x.operation?.access === 'sudo' && !verdict.sudo && !verdict.root
  x.verdict = lacksSudo ? { ...verdict, allowed: false, granting: [] } : verdict
  if (!x.verdict.allowed) throw denied()
  narrow(x, x.verdict.list?.limit ?? 0)
}

/** Policy cuts a list to its page afterwards: the operation need not read more than that. */
function narrow({ call, operation }: Exchange, limit: number): void {
  if (limit <= 0 || !call || !operation || operation.input === 'free') return
  const fields: Fields = operation.input
  if (fields['limit']?.kind === 'int') call.input = { ...call.input, limit }
}

type PolicyOperation = Parameters<NonNullable<Exchange['acl']>['check']>[0]['operation']
const operations = new Set<string>(['create', 'read', 'update', 'patch', 'delete', 'list', 'scan', 'head'])
const isPolicyOperation = (name: string): name is PolicyOperation => operations.has(name)

/** What is remembered of a refusal by policy, for whoever asks why; nothing of what the request carried. */
export function denialOf(x: Exchange): Denial | undefined {
  if (!x.token || !x.verdict || x.verdict.allowed || !x.nouns || !x.home) return undefined
  const operation = operationName(x)
  return {
    requestId: x.id,
    // Where the policies are, and the path as they would name it.
    namespaceId: x.home.info.id,
    path: x.nouns.info.path.slice(x.home.info.path.length) + x.path,
    operation: isPolicyOperation(operation) ? operation : 'read',
    policies: x.token.caller.policies,
    entityId: x.token.row.entityId,
    needsSudo: x.operation?.access === 'sudo',
    wrapTtlMs: x.wrapTtlMs,
  }
}
