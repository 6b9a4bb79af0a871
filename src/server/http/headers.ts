/** What the pipeline wants to know from headers. Node joins repeated ones ("one, two"), so they are counted in the raw list. */
import { parseVaultDuration } from '../../lib/duration.ts'
import { Refusal } from '../contracts/request.ts'

export type Headers = Readonly<Record<string, string | undefined>>

const single = new Set(['host', 'x-vault-token', 'x-vault-namespace', 'authorization', 'x-vault-wrap-ttl'])

/** Refuses (400) repeated credentials and hosts (RFC 9112, 3.2); a name and its value alternate in `raw`. */
export function readHeaders(raw: readonly string[]): Headers {
  const headers: Record<string, string> = Object.create(null)
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    const value = raw[i + 1] ?? ''
    const before = headers[name]
    if (before !== undefined && single.has(name)) throw new Refusal(400, `repeated header: ${name}`)
    headers[name] = before === undefined ? value : `${before}, ${value}`
  }
  return headers
}

/** X-Vault-Token, else `Authorization: Bearer`; empty when there is none. */
export function tokenOf(headers: Headers): string {
  const own = headers['x-vault-token']
  const bearer = own === undefined ? /^bearer (.*)$/i.exec(headers['authorization'] ?? '')?.[1] : undefined
  const token = (own ?? bearer ?? '').trim()
  if (/[\u0000-\u001f\u007f]/.test(token)) throw new Refusal(400, 'control characters are not allowed in the token')
  return token
}

/** Milliseconds; 0 when no wrapping was asked for. */
export function wrapTtlOf(headers: Headers): number {
  const text = headers['x-vault-wrap-ttl']
  if (text === undefined || text === '') return 0
  const ms = parseVaultDuration(text)
  if (ms === undefined) throw new Refusal(400, `error parsing X-Vault-Wrap-TTL: invalid duration "${text}"`)
  if (ms < 0) throw new Refusal(400, 'error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative')
  return ms
}
