/** What the scopes of a request say about someone. */
import { fillClaims, type Subject } from '../claims.ts'
import type { ProviderRow } from '../provider/provider-rows.ts'
import { openId, type ScopeStore } from '../provider/scope-store.ts'
import { OidcProblem } from './oidc-problem.ts'

/** Of what was asked for, what the provider offers, sorted; undefined: not an OpenID Connect request. */
export function askedScopes(text: string, provider: ProviderRow): string[] | undefined {
  const asked = [...new Set(text.split(' ').filter((scope) => scope !== ''))].sort()
  if (!asked.includes(openId)) return undefined
  return asked.filter((scope) => scope !== openId && provider.scopes.includes(scope))
}

/** Scopes that are gone say nothing. */
export async function scopeClaims(
  store: ScopeStore,
  scopes: readonly string[],
  subject: Subject,
): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = Object.create(null)
  const owners = new Map<string, string>()
  for (const scope of scopes) {
    const row = await store.get(scope)
    const claims = row && fillClaims(row.template, subject)
    for (const [claim, value] of Object.entries(claims ?? {})) {
      const other = owners.get(claim)
      if (other !== undefined) {
        throw new OidcProblem(
          'invalid_request',
          `found scopes with conflicting top-level claim: claim ${JSON.stringify(claim)} in scopes ${JSON.stringify(scope)}, ${JSON.stringify(other)}`,
        )
      }
      owners.set(claim, scope)
      all[claim] = value
    }
  }
  return all
}
