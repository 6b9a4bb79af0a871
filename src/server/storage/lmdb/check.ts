import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { maxKeyBytes } from '../../contracts/row-size.ts'
import { StorageDown } from '../../contracts/storage.ts'
import { firstKey, openEnvironment, versionText } from './environment.ts'
import { sumHolds } from './row-sum.ts'

/**
 * Reads all of an LMDB file; throws when something is wrong. A damaged page can end the process
 * (SIGBUS, SIGSEGV) or hide keys from lookups without an error, so this runs in a process of its own and looks each key
 * up again. Returns the number of rows.
 */
export async function checkLmdbFile(file: string): Promise<number> {
  const db = await openEnvironment(file, { readOnly: true })
  // No turn of the event loop from here to the last row: lmdb keeps one read transaction for that long, so that a file which a
  // server writes to meanwhile is seen as it was at one moment.
  const stats: { entryCount?: number; lastPageNumber?: number; pageSize?: number } = db.getStats()
  const needed = ((stats.lastPageNumber ?? 0) + 1) * (stats.pageSize ?? 0)
  const { size } = statSync(file)
  if (size < needed) throw new Error(`it has ${size} bytes where its header says ${needed}`)
  let rows = 0
  let before: Buffer | undefined
  const keys: string[] = []
  for (const { key, value, version } of db.getRange({ start: firstKey, versions: true })) {
    const bytes = Buffer.from(key)
    if (bytes.length < 1 || bytes.length > maxKeyBytes)
      throw new Error(`row ${rows} has a key of ${bytes.length} bytes`)
    if (before && Buffer.compare(before, bytes) >= 0) throw new Error(`row ${rows} is out of order`)
    if (!value || !sumHolds(key, versionText(version), value)) throw new Error(`row ${rows} is not what was written`)
    before = bytes
    rows += 1
    keys.push(key)
    if (keys.length === 10_000) lookUp(db, keys.splice(0))
  }
  lookUp(db, keys)
  if (rows !== stats.entryCount) throw new Error(`${rows} rows can be reached, ${stats.entryCount} are counted`)
  await db.close()
  return rows
}

function lookUp(db: Awaited<ReturnType<typeof openEnvironment>>, keys: readonly string[]): void {
  for (const key of keys) if (!db.doesExist(key)) throw new Error('a row can be listed and not be found')
}

export interface CheckCommand {
  /** A command line to which the file's path is added; it runs checkLmdbFile and ends with status 0 when that returns. */
  readonly command: readonly string[]
  readonly timeoutMs?: number
}

export type FileVerdict = { readonly verdict: 'whole' | 'damaged' | 'unknown'; readonly why?: string }

/** Has the file checked by a child process, whose end, however it comes, is the answer. Throws StorageDown. */
export async function checkInChild(file: string, command: CheckCommand): Promise<void> {
  const { verdict, why } = await inspectInChild(file, command)
  if (verdict === 'whole') return
  throw new StorageDown(
    `the storage file ${file} did not pass its check after an unclean end (${why}). It was not opened and not changed. ` +
      'Keep a copy of it, then start with the folder from your last backup',
  )
}

/** 'unknown': the check did not come to its end for another reason than the file. */
export function inspectInChild(file: string, { command, timeoutMs = 600_000 }: CheckCommand): Promise<FileVerdict> {
  const [program = '', ...args] = [...command, file]
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < 4096) said += text
    })
    child.once('error', (error) =>
      resolve({ verdict: 'unknown', why: `the check could not be started: ${error.message}` }),
    )
    child.once('close', (status, signal) => {
      if (status === 0) resolve({ verdict: 'whole' })
      else if (signal) resolve({ verdict: verdictOf(signal), why: `the check was ended by ${signal}` })
      else resolve({ verdict: verdictOn(said), why: reason(said) ?? `the check ended with status ${status}` })
    })
  })
}

/** The faults of a process that reads a damaged file through its memory; any other signal was sent by someone. */
const verdictOf = (signal: NodeJS.Signals) =>
  ['SIGBUS', 'SIGSEGV', 'SIGABRT'].includes(signal) ? 'damaged' : 'unknown'

/** A check that comes to its end says what it found on its first line; whatever else Node prints is about the program. */
const verdictOn = (said: string) =>
  /^Error: (?!.*\b(?:denied|memory|open files|READERS_FULL))/.test(said) ? 'damaged' : 'unknown'

/** The error's own line among what Node prints. */
function reason(said: string): string | undefined {
  return /^(?:Uncaught )?(?:\w*Error: )(.+)$/m.exec(said)?.[1]
}
