/** What went wrong, from PostgreSQL's codes. Of its errors only the message is kept: the rest may show keys. */
import { StorageDown, StorageFull } from '../../../contracts/storage.ts'

/** Whether the statement took effect can't be told from the error. */
export class Cut extends Error {
  override name = 'Cut'
}

/** The server refused the statement; nothing of it remains. */
export class Rejected extends Error {
  override name = 'Rejected'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const textOf = (error: unknown, name: string): string =>
  error instanceof Error && name in error ? String(Object.entries(error).find(([key]) => key === name)?.[1] ?? '') : ''

/** SQLSTATE: five characters, of which system errors ("ECONNRESET", "EPIPE") have none that begins with a digit or with XX. */
const sqlState = (error: unknown): string | undefined => {
  const code = textOf(error, 'code')
  return /^[0-9A-Z]{5}$/.test(code) && (/^[0-9]/.test(code) || code.startsWith('XX')) ? code : undefined
}

/** 57P: the server ends or is not up yet, 08: the pooler lost it, XX: internal: any of them may come after the commit. */
export function failureOf(error: unknown): Cut | Rejected {
  if (error instanceof Cut || error instanceof Rejected) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = sqlState(error)
  if (code === undefined) return new Cut(textOf(error, 'code') ? `${message} (${textOf(error, 'code')})` : message)
  if (/^(?:57P|08|XX)/.test(code)) return new Cut(`${message} (${code})`)
  return new Rejected(code, message)
}

/** Two commits that took their rows in turn, or a serialisation failure: rolled back, so it may run again. */
export const isTransient = (failure: Cut | Rejected) =>
  failure instanceof Rejected && (failure.code === '40P01' || failure.code === '40001')

export const isDuplicate = (failure: Cut | Rejected) => failure instanceof Rejected && failure.code === '23505'

const remedies: Readonly<Record<string, string>> = {
  '25006': 'the server is read-only: it is a standby, or default_transaction_read_only is on',
  '42501': 'the user lacks a privilege: it must own the tables or may create them',
  '42P01': 'a table is missing: restart the server, which makes them',
  '42883': 'a function is missing: restart the server, which makes it',
  '53300': 'too many connections: raise max_connections there or lower max_parallel here',
}

/** For callers of the storage, once nothing more can be done. */
export function storageError(failure: Cut | Rejected, where: string): StorageDown | StorageFull {
  if (failure instanceof Cut) return new StorageDown(`PostgreSQL at ${where} does not answer: ${failure.message}`)
  if (failure.code === '53100') {
    return new StorageFull(
      `PostgreSQL at ${where} has no room left on its disk: free some or make it larger; nothing was written`,
    )
  }
  // Messages of class 22 and 23 may show what was written.
  const said = /^2[23]/.test(failure.code) ? '' : `: ${failure.message}`
  const remedy = remedies[failure.code]
  return new StorageDown(`PostgreSQL at ${where} refused (${failure.code})${remedy ? `: ${remedy}` : said}`)
}
