/**
 * Judges one passcode. Each is good once for an entity and method; failures are counted on all nodes, and too many make
 * the method wait until the window ends.
 */
import { matchingSteps, stepAt } from '../../../lib/totp.ts'
import type { SecretRow, StateRow } from './mfa-rows.ts'

export interface Attempt {
  readonly secret: SecretRow
  readonly state: StateRow | undefined
  readonly passcode: string | undefined
  readonly maxAttempts: number
  readonly nowMs: number
}

/** `next`: what is to be remembered; absent: nothing changes. */
export type Judgement =
  | { readonly ok: true; readonly next: StateRow }
  | { readonly ok: false; readonly error: string; readonly next?: StateRow }

/** Says the same of wrong, used and malformed passcodes, so that nobody learns which of them were right. */
const wrong = 'MFA credentials not supplied or incorrect'

export function judgePasscode({ secret, state, passcode, maxAttempts, nowMs }: Attempt): Judgement {
  if (passcode === undefined || passcode.trim() !== passcode || passcode.length !== secret.digits) {
    return { ok: false, error: wrong }
  }
  const inWindow = state !== undefined && state.windowEndsAt > nowMs
  const attempts = inWindow ? state.attempts : 0
  if (attempts >= maxAttempts && inWindow) {
    const seconds = Math.ceil((state.windowEndsAt - nowMs) / 1000)
    return {
      ok: false,
      error: `maximum TOTP validation attempts ${attempts + 1} exceeded the allowed attempts ${maxAttempts}. Please try again in ${seconds}s seconds`,
    }
  }
  const oldest = stepAt(nowMs, secret.period) - secret.skew
  const used = (state?.used ?? []).filter((step) => step >= oldest)
  const steps = matchingSteps(Buffer.from(secret.key, 'base64'), passcode, secret, nowMs, secret.skew)
  if (steps.length > 0 && !steps.some((step) => used.includes(step))) {
    const next = remembered(secret, { used: [...used, ...steps], attempts: 0, windowEndsAt: 0 })
    return { ok: true, next }
  }
  const windowEndsAt = inWindow && attempts > 0 ? state.windowEndsAt : nowMs + secret.period * 1000
  return { ok: false, error: wrong, next: remembered(secret, { used, attempts: attempts + 1, windowEndsAt }) }
}

function remembered(secret: SecretRow, state: Pick<StateRow, 'used' | 'attempts' | 'windowEndsAt'>): StateRow {
  const last = Math.max(0, ...state.used)
  const forgettableAt = last === 0 ? 0 : (last + secret.skew + 1) * secret.period * 1000
  return { format: 1, ...state, dueAt: Math.ceil(Math.max(state.windowEndsAt, forgettableAt)) }
}
