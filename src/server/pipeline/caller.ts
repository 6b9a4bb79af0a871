/** Who is calling: a token that is alive, from an allowed address, with a use left. */
import { Refusal } from '../contracts/request.ts'
import type { MountView } from '../mounts/mount-table.ts'
import { addressAllowed, type LiveToken } from '../tokens/live-token.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import type { Findings } from './authority.ts'
import type { Exchange } from './exchange.ts'

const badToken = () => new Refusal(403, 'permission denied')

export function proveCaller(x: Exchange, findings: Findings, tokens: TokenStore): void | Promise<void> {
  const access = x.operation?.access ?? 'token'
  if (access === 'public') return
  const token = findings.token
  if (!token || !isAlive(x, token, findings.mounts)) {
    if (access === 'optional') return
    throw badToken()
  }
  x.token = token
  x.acl = findings.acl
  if (token.row.numUses > 0) return takeUse(x, token, tokens)
}

function isAlive(x: Exchange, { row, bound }: LiveToken, mounts: MountView): boolean {
  if (row.expiresAt > 0 && row.expiresAt <= x.now) return false
  // The tokens of an auth mount end with it, before the sweep comes to them.
  if (row.login && mounts.byUuid(row.mount)?.removing !== false) return false
  return !bound || addressAllowed(bound, x.incoming.remote.address)
}

/** Before the request has an effect, so that a crash costs a use and never gives one. */
async function takeUse(x: Exchange, token: LiveToken, tokens: TokenStore): Promise<void> {
  const left = await tokens.takeUse(token.id)
  if (left === undefined) {
    x.token = undefined
    throw badToken()
  }
  x.remainingUses = left
  x.lastUse = left === 0
}
