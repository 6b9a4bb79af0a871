/** Who is calling: a token that is alive, from an allowed address, with a use left. */
import { type Operation, Refusal } from '../../contracts/request.ts'
import type { Rows } from '../../contracts/secret-storage.ts'
import type { Acl } from '../../policies/acl.ts'
import { addressAllowed, type LiveToken } from '../../tokens/live-token.ts'
import type { TokenStore } from '../../tokens/token-store.ts'
import type { Exchange } from '../exchange.ts'
import type { Authority, Findings } from './authority.ts'
import type { NamespaceNouns } from './namespace-nouns.ts'

const badToken = () => new Refusal(403, 'permission denied')

/** A node whose own clock is further off its storage's serves nobody. */
const clockDoubtMs = 30_000

interface Asked {
  readonly tokens: TokenStore
  readonly rows: Pick<Rows, 'now'>
}

export function proveCaller(x: Exchange, findings: Findings, { tokens, rows }: Asked): void | Promise<void> {
  const access = accessOf(x)
  if (access === 'public') return
  const expiresAt = findings.token?.row.expiresAt ?? 0
  // By the storage's clock, that all nodes share; it is only asked where our own could be wrong about it.
  if (expiresAt > 0 && Math.abs(expiresAt - x.now) <= clockDoubtMs) {
    return rows.now().then((now) => prove(x, findings, { access, now, tokens }))
  }
  return prove(x, findings, { access, now: x.now, tokens })
}

function prove(
  x: Exchange,
  findings: Findings,
  { access, now, tokens }: { access: Operation['access']; now: number; tokens: TokenStore },
): void | Promise<void> {
  const { token } = findings
  if (!token || !isAlive(x, now, token, findings)) {
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

/** A verb that a path does not have is refused as such, also to nobody, where all that the path has is open. */
function accessOf({ operation, match, incoming }: Exchange): NonNullable<Operation['access']> {
  if (operation || !match || incoming.verb === 'help') return operation?.access ?? 'token'
  const open = Object.values(match.route.on).every(({ access }) => access === 'public' || access === 'optional')
  return open ? 'public' : 'token'
}

/** Where a token is shown. */
interface Shown {
  readonly nouns?: NamespaceNouns
  readonly incoming: { readonly remote: { readonly address: string } }
}

/** Policies speak of paths from their own namespace: a request in a child is at "child/" and its path. */
function aclAt(at: Shown, { acl, home }: Findings): Acl | undefined {
  const prefix = at.nouns?.info.path.slice(home?.info.path.length ?? 0) ?? ''
  return prefix === '' ? acl : acl?.below(prefix)
}

function isAlive(
  at: Shown,
  now: number,
  { row, bound }: LiveToken,
  { home, homeMounts, namespaces }: Findings,
): boolean {
  // A token counts in its namespace and below; one that was made anew at the same path is another.
  if (!home || !at.nouns || !namespaces.isLive(home.info)) return false
  if (!at.nouns.info.path.startsWith(home.info.path)) return false
  if (row.expiresAt > 0 && row.expiresAt <= now) return false
  // The tokens of an auth mount end with it, before the sweep comes to them.
  if (row.login && homeMounts?.byUuid(row.mount)?.removing !== false) return false
  return !bound || addressAllowed(bound, at.incoming.remote.address)
}

/** What a token may do now, for requests that outlive their beginning; undefined when it is not alive any more. Takes no use. */
export async function currentAcl(
  authority: Pick<Authority, 'read'>,
  token: string,
  at: Shown & { readonly nouns: NamespaceNouns; readonly rows: Pick<Rows, 'now'> },
): Promise<Acl | undefined> {
  const findings = await authority.read(at.nouns, token, [])
  const { namespaces, token: live, sealed } = findings
  if (sealed || !namespaces.isLive(at.nouns.info) || namespaces.lockOf(at.nouns.info)) return undefined
  if (!live || !isAlive(at, await at.rows.now(), live, findings)) return undefined
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
