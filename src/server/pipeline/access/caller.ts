/** Who is calling: a token that is alive, from an allowed address, with a use left. */
import { Refusal } from '../../contracts/request.ts'
import type { Acl } from '../../policies/acl.ts'
import { addressAllowed, type LiveToken } from '../../tokens/live-token.ts'
import type { TokenStore } from '../../tokens/token-store.ts'
import type { Exchange } from '../exchange.ts'
import type { Authority, Findings } from './authority.ts'
import type { NamespaceNouns } from './namespace-nouns.ts'

const badToken = () => new Refusal(403, 'permission denied')

export function proveCaller(x: Exchange, findings: Findings, tokens: TokenStore): void | Promise<void> {
  const access = x.operation?.access ?? 'token'
  if (access === 'public') return
  const token = findings.token
  if (!token || !isAlive(x, token, findings)) {
    if (access === 'optional') return
    throw badToken()
  }
  x.token = token
  x.home = findings.home
  x.acl = aclAt(x, findings)
  // Whoever looks at a wrapping token without being logged in by it does not use it up: sys/wrapping does that itself.
  if (access === 'optional' && token.caller.policies.includes('response-wrapping')) return
  if (token.row.numUses > 0) return takeUse(x, token, tokens)
}

/** Where and when a token is shown. */
interface Shown {
  readonly nouns?: NamespaceNouns
  readonly now: number
  readonly incoming: { readonly remote: { readonly address: string } }
}

/** Policies speak of paths from their own namespace: a request in a child is at "child/" and its path. */
function aclAt(at: Shown, { acl, home }: Findings): Acl | undefined {
  const prefix = at.nouns?.info.path.slice(home?.info.path.length ?? 0) ?? ''
  return prefix === '' ? acl : acl?.below(prefix)
}

function isAlive(at: Shown, { row, bound }: LiveToken, { home, homeMounts, namespaces }: Findings): boolean {
  // A token counts in its namespace and below; one that was made anew at the same path is another.
  if (!home || !at.nouns || !namespaces.isLive(home.info)) return false
  if (!at.nouns.info.path.startsWith(home.info.path)) return false
  if (row.expiresAt > 0 && row.expiresAt <= at.now) return false
  // The tokens of an auth mount end with it, before the sweep comes to them.
  if (row.login && homeMounts?.byUuid(row.mount)?.removing !== false) return false
  return !bound || addressAllowed(bound, at.incoming.remote.address)
}

/** What a token may do now, for requests that outlive their beginning; undefined when it is not alive any more. Takes no use. */
export async function currentAcl(
  authority: Pick<Authority, 'read'>,
  token: string,
  at: Shown & { readonly nouns: NamespaceNouns },
): Promise<Acl | undefined> {
  const findings = await authority.read(at.nouns, token, [])
  const { namespaces, token: live, sealed } = findings
  if (sealed || !namespaces.isLive(at.nouns.info) || namespaces.lockOf(at.nouns.info)) return undefined
  if (!live || !isAlive(at, live, findings)) return undefined
  return aclAt(at, findings)
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
