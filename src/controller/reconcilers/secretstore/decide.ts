import { parseGoDuration } from '../../../lib/duration.ts'
import { type Condition, withCondition } from '../../crds/condition.ts'
import { readyOf, type SecretStore } from '../../crds/secret-store.ts'
import type { ProviderError } from '../../providers/provider.ts'
import type { EventNote, Next } from '../context.ts'

/** How the store answered; `error` is a ProviderError for everything that may be shown. */
export type CheckResult = { readonly answered: 'ready' | 'unknown' } | { readonly error: ProviderError }

export interface StoreVerdict {
  readonly status: { readonly conditions: readonly Condition[]; readonly capabilities?: string | undefined }
  readonly events: readonly EventNote[]
  readonly next: Next
}

export interface StoreSettings {
  readonly nowMs: number
  /** When the object does not say how often it wants to be looked at. */
  readonly requeueIntervalMs: number
}

export function verdictOn(store: SecretStore, result: CheckResult, settings: StoreSettings): StoreVerdict {
  const { ready, cause } = conditionOf(result)
  const conditions = withCondition(store.conditions, { type: 'Ready', ...ready }, settings.nowMs)
  const before = readyOf(store)
  // ESO tells at each look, which fills the list of events; we tell when it changes.
  const changed = before?.reason !== ready.reason || before.message !== ready.message
  // ESO says ReadWrite for Vault; we do not push, and the status does not promise it.
  const capabilities = 'error' in result ? store.capabilities : 'ReadOnly'
  return {
    status: { conditions, ...(capabilities !== undefined && { capabilities }) },
    events: changed
      ? [{ type: ready.status === 'True' ? 'Normal' : 'Warning', reason: ready.reason, message: cause }]
      : [],
    next: nextOf(store, result, settings),
  }
}

interface Told {
  readonly ready: { status: 'True' | 'False'; reason: string; message: string }
  readonly cause: string
}

function conditionOf(result: CheckResult): Told {
  if ('error' in result) {
    const message = result.error.code === 'invalid' ? 'unable to create client' : 'unable to validate store'
    return {
      ready: { status: 'False', reason: 'InvalidProviderConfig', message },
      cause: `${message}: ${result.error.message}`,
    }
  }
  if (result.answered === 'ready') return told('Valid', 'store validated')
  return told('ValidationUnknown', 'could not determine validation status')
}

const told = (reason: string, message: string): Told => ({ ready: { status: 'True', reason, message }, cause: message })

function nextOf(store: SecretStore, result: CheckResult, settings: StoreSettings): Next {
  if (!('error' in result)) return { when: 'after', ms: intervalMs(store) ?? settings.requeueIntervalMs }
  // An outage is probed elsewhere, once per store.
  return result.error.code === 'outage' ? { when: 'store' } : { when: 'backoff' }
}

function intervalMs(store: SecretStore): number | undefined {
  const { refreshInterval } = store.spec
  const ms =
    typeof refreshInterval === 'number' ? refreshInterval * 1000 : parseGoDuration(withUnit(refreshInterval ?? '0'))
  return ms !== undefined && ms > 0 ? ms : undefined
}

const withUnit = (text: string) => (/^\d+$/.test(text) ? `${text}s` : text)
