/** The token with which a list goes on (k8s.io/apiserver/pkg/storage continueToken). */
import { badRequest } from '../../status.ts'
import { isTree, numberAt, textAt } from '../../tree.ts'

export interface ContinueToken {
  /** The moment that all pages show; -1: whatever there is now. */
  readonly version: number
  /** The first key of the next page, below the namespace when the list is of one. */
  readonly start: string
}

const format = 'meta.k8s.io/v1'

export function printContinueToken({ version, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: format, rv: version, start })).toString('base64url')
}

export function parseContinueToken(text: string): ContinueToken {
  const refused = (why: string) => badRequest(`invalid continue token: continue key is not valid${why}`)
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw refused(': it is not base64')
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
  } catch {
    throw refused(': it is not JSON')
  }
  const made = isTree(value) ? (textAt(value, 'v') ?? '') : ''
  if (made !== format) throw refused(`: server does not recognize this encoded version ${made}`)
  const version = numberAt(value, 'rv') ?? 0
  const start = textAt(value, 'start') ?? ''
  if (version === 0) throw refused(`: incorrect encoded start resourceVersion (version ${format})`)
  if (start === '') throw refused(`: encoded start key empty (version ${format})`)
  return { version, start }
}
