import { chmod, chown, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makeFolder } from '../../lib/make-folder.ts'
import { base62, type RandomBytes } from '../../lib/random.ts'

export interface ReplaceOptions {
  readonly mode: number
  readonly random: RandomBytes
  readonly owner?: { readonly uid: number; readonly gid: number }
}

/** Readers see the old bytes or the new ones, never a part: a temporary file beside it takes its place. */
export async function replaceFile(path: string, bytes: Uint8Array, options: ReplaceOptions): Promise<void> {
  const temporary = temporaryName(path, options.random)
  try {
    await writeSynced(temporary, bytes)
    await chmod(temporary, options.mode)
    // Only root may give a file away; the agent's own files are already its own.
    if (options.owner) await chown(temporary, options.owner.uid, options.owner.gid).catch(() => undefined)
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw error
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

const temporaryName = (path: string, random: RandomBytes) =>
  join(dirname(path), `.${basename(path).slice(0, 200)}.${base62(random, 12)}.tmp`)

/** Throws what a write to that path would throw. */
export async function checkWritable(path: string, random: RandomBytes): Promise<void> {
  const probe = temporaryName(path, random)
  await writeSynced(probe, new Uint8Array())
  await unlink(probe)
  if (await isDirectory(path)) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' })
}

const isDirectory = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() === true

export interface RenderOptions {
  /** Undefined: the existing file's, else 0644. */
  readonly perms?: number
  readonly createDirectories: boolean
  readonly random: RandomBytes
}

/** Writes only what differs, so that watchers of the file see changes and nothing else. */
export async function renderFile(path: string, bytes: Uint8Array, options: RenderOptions): Promise<'written' | 'same'> {
  const existing = await stat(path).catch(() => undefined)
  if (existing?.isFile()) {
    const old = await readFile(path)
    if (old.equals(bytes)) return 'same'
  }
  if (options.createDirectories) makeFolder(dirname(path), 0o755)
  await replaceFile(path, bytes, {
    mode: options.perms ?? (existing ? existing.mode & 0o7777 : 0o644),
    random: options.random,
    ...(existing ? { owner: { uid: existing.uid, gid: existing.gid } } : {}),
  })
  return 'written'
}
