/** What a client shows as its second factor, and what it is told when that is not enough. */
import { isJsonObject, type Json } from '../../../lib/json/value.ts'
import { Refusal } from '../../contracts/request.ts'

/** By method id, or by the method's name with its namespace before it: passcodes. */
export type Credentials = ReadonlyMap<string, readonly string[]>

/** `mfa_payload`: {"<method>": ["<passcode>"]}. */
export function readPayload(payload: Json | undefined): Credentials {
  if (payload === undefined || payload === null) return new Map()
  if (!isJsonObject(payload)) throw invalid()
  return new Map(
    Object.entries(payload).map(([method, value]) => {
      if (value === null || value === undefined) return [method, []]
      if (!Array.isArray(value)) throw invalid()
      return [
        method,
        value.map((item: Json) => {
          if (typeof item !== 'string') throw invalid()
          return item
        }),
      ]
    }),
  )
}

const invalid = () => new Refusal(400, 'invalid mfa payload')

/** X-Vault-MFA: `method:passcode` or `method`; several headers arrive joined by commas. Refusal 400. */
export function readMfaHeader(header: string | undefined): Credentials {
  const found = new Map<string, string[]>()
  for (const part of (header ?? '').split(',').map((one) => one.trim())) {
    if (part === '') continue
    const colon = part.indexOf(':')
    const method = colon < 0 ? part : part.slice(0, colon)
    const value = colon < 0 ? undefined : part.slice(colon + 1)
    if (method === '') throw headerRefusal('method name or ID')
    if (value === '') throw headerRefusal('method value')
    found.set(method, [...(found.get(method) ?? []), ...(value === undefined ? [] : [value])])
  }
  return found
}

const headerRefusal = (what: string) =>
  new Refusal(400, `failed to parse X-Vault-MFA header: invalid data in header "X-Vault-MFA"; missing ${what}`)

/** The one passcode among what was shown for a method. */
export function passcodeOf(
  shown: readonly string[],
): { readonly passcode: string | undefined } | { readonly error: string } {
  let passcode: string | undefined
  for (const one of shown) {
    if (one === '') continue
    const named = one.startsWith('passcode=')
    if (!named && one.includes('=')) return { error: 'failed to parse MFA factor, found an invalid MFA cred' }
    if (passcode !== undefined) {
      return { error: 'failed to parse MFA factor, found multiple passcodes for the same MFA method' }
    }
    passcode = named ? one.slice('passcode='.length) : one
    if (passcode === '') return { error: 'failed to parse MFA factor, invalid passcode' }
  }
  return { passcode }
}

/** Go's multierror. */
export function severalErrors(errors: readonly string[]): string {
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors`
  return `${count} occurred:\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`
}
