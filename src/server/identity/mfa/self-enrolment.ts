/** Who may get a key while logging in, with nothing shown but what the auth method asks for. */
import type { EntityRow } from '../entities/entity-row.ts'
import type { EnforcementRow, MethodRow } from './mfa-rows.ts'
import { holds } from './totp-secrets.ts'

/**
 * Only an entity that has no key for any method that some enforcement takes instead of this one: else who knows a password alone
 * would make a key beside the one that is asked for, and use that. `rules`: all that there are, whether or not they apply to this login.
 */
export function mayEnrol(entity: EntityRow, method: MethodRow, rules: readonly EnforcementRow[]): boolean {
  if (method.selfEnrollment !== true || holds(entity, method.id)) return false
  const instead = rules.filter((rule) => rule.methodIds.includes(method.id)).flatMap((rule) => rule.methodIds)
  return !instead.some((id) => holds(entity, id))
}
