/** What every backend refuses before it writes. A RangeError here is the caller's fault and never depends on what is stored. */
import { commitIdForm } from '../contracts/commit.ts'
import { maxKeyBytes, maxStoredBytes } from '../contracts/row-size.ts'
import type { Check, Commit, ListPage, StorageBackend, Stored } from '../contracts/storage.ts'

export const limits: StorageBackend['limits'] = {
  valueBytes: maxStoredBytes,
  commitRows: 256,
  commitBytes: 8 * 1024 * 1024,
}

/** Answers the key's length in UTF-8. */
export function checkKey(key: string): number {
  const bytes = Buffer.byteLength(key)
  if (bytes < 1 || bytes > maxKeyBytes)
    throw new RangeError(`a storage key has 1 to ${maxKeyBytes} bytes, not ${bytes}`)
  if (key.includes('\0')) throw new RangeError('a storage key has no NUL')
  // Two strings with lone surrogates would become the same bytes.
  if (!key.isWellFormed()) throw new RangeError('a storage key has no lone surrogates')
  return bytes
}

/** Rows are distinct keys, checked ones included; bytes, which it answers, are keys and values. */
export function checkCommit(commit: Commit): number {
  if (!commitIdForm.test(commit.id)) throw new RangeError('a commit id has 14 hex digits that say 53 bits')
  const rows = new Set<string>()
  let bytes = 0
  for (const { key, version } of commit.checks) {
    if (!commitIdForm.test(version)) throw new RangeError('a version is the id of a commit')
    if (!rows.has(key)) bytes += checkKey(key)
    rows.add(key)
  }
  if (commit.generation) checkGeneration(commit.generation)
  const written = new Set<string>()
  const write = (key: string, value?: Uint8Array) => {
    if (written.has(key)) throw new RangeError('a commit writes each key once')
    written.add(key)
    rows.add(key)
    bytes += checkKey(key) + (value?.length ?? 0)
    if (value) checkValue(value)
  }
  for (const put of commit.create ?? []) write(put.key, put.value)
  for (const put of commit.put ?? []) write(put.key, put.value)
  for (const key of commit.remove ?? []) write(key)
  if (rows.size > limits.commitRows)
    throw new RangeError(`a commit has at most ${limits.commitRows} rows, not ${rows.size}`)
  if (bytes > limits.commitBytes) {
    throw new RangeError(`a commit has at most ${limits.commitBytes} bytes, not ${bytes}`)
  }
  return bytes
}

/** Beside the commit's rows: a commit of as many as are allowed may carry it. */
function checkGeneration({ key, version }: Check): void {
  if (!commitIdForm.test(version)) throw new RangeError('a version is the id of a commit')
  checkKey(key)
}

/** A row of a snapshot that is loaded. Answers the bytes of key and value. */
export function checkRow(key: string, row: Stored): number {
  if (!commitIdForm.test(row.version)) throw new RangeError('a version is the id of a commit')
  checkValue(row.value)
  return checkKey(key) + row.value.length
}

function checkValue(value: Uint8Array): void {
  if (value.length > limits.valueBytes)
    throw new RangeError(`a stored value has at most ${limits.valueBytes} bytes, not ${value.length}`)
}

export function writtenKeys(commit: Commit): string[] {
  return [
    ...(commit.create ?? []).map((put) => put.key),
    ...(commit.put ?? []).map((put) => put.key),
    ...(commit.remove ?? []),
  ]
}

export function checkPage(page: ListPage): void {
  if (!Number.isSafeInteger(page.limit) || page.limit < 1) throw new RangeError('a page has a limit of at least 1')
}

/** `clear` checks nothing and can't be undone, so it takes only a folder. */
export function checkClear(prefix: string, limit: number): void {
  if (!prefix.endsWith('/')) throw new RangeError("clear takes a prefix that ends in '/'")
  if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError('clear has a limit of at least 1')
}

/** Where a listing goes on: the name itself, or in children mode the whole folder that holds it. */
export function listAfter(page: ListPage): { readonly name: string; readonly folder: boolean } | undefined {
  if (page.after === undefined || page.after === '') return undefined
  const slash = page.depth === 'children' ? page.after.indexOf('/') : -1
  return slash < 0 ? { name: page.after, folder: false } : { name: page.after.slice(0, slash + 1), folder: true }
}

/** The first key after everything below `folder`, which ends in '/': '0' follows '/'. */
export function pastFolder(folder: string): string {
  return `${folder.slice(0, -1)}0`
}
