/** Cross-origin requests: which pages of other origins may call, and what a browser is told beforehand. */
import type { HttpAnswer } from './envelope.ts'

/** As HttpSettings keeps it. */
export interface CorsRules {
  /** ["*"] or origins. */
  readonly origins: readonly string[]
  readonly headers: readonly string[]
  readonly credentials: boolean
}

const methods = ['DELETE', 'GET', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'LIST', 'SCAN']
const base = { 'Cache-Control': 'no-store' }

/**
 * `refused` and `preflight` are whole answers; `headers` belong on the answer that follows. Undefined: nothing to do with
 * cross-origin requests. `origin` and `requested` are the request's Origin and Access-Control-Request-Method.
 */
export function corsOf(
  rules: CorsRules | undefined,
  request: { readonly method: string; readonly origin: string | undefined; readonly requested: string | undefined },
): { readonly answer: HttpAnswer } | { readonly headers: Readonly<Record<string, string>> } | undefined {
  const { method, origin, requested } = request
  if (!rules || origin === undefined || origin === '') return undefined
  if (!rules.origins.includes('*') && !rules.origins.includes(origin)) {
    const body = `${JSON.stringify({ errors: ['origin not allowed'] })}\n`
    return { answer: { status: 403, headers: { ...base, 'Content-Type': 'application/json', Vary: 'Origin' }, body } }
  }
  const headers = {
    'Access-Control-Allow-Origin': origin,
    Vary: 'Origin',
    ...(rules.credentials ? { 'Access-Control-Allow-Credentials': 'true' } : {}),
  }
  if (method !== 'OPTIONS') return { headers }
  if (requested === undefined || !methods.includes(requested)) {
    return { answer: { status: 405, headers: base, body: '' } }
  }
  const preflight = {
    'Access-Control-Allow-Methods': methods.join(','),
    'Access-Control-Allow-Headers': rules.headers.join(','),
    'Access-Control-Max-Age': '300',
  }
  return { answer: { status: 204, headers: { ...base, ...headers, ...preflight }, body: '' } }
}
