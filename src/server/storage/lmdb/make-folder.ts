import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder (0700) and those above it that are absent. Node's own way, with `recursive`, never ends where the system says
 * that the parent is absent although it is there (below /proc), and can't be interrupted.
 */
export async function makeFolder(path: string): Promise<void> {
  if ((await made(path)) !== 'no parent') return
  const parent = dirname(path)
  if (parent !== path) await makeFolder(parent)
  await mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
    // Another process was faster.
    if (!(await isFolder(path))) throw error
  })
}

async function made(path: string): Promise<'made' | 'no parent'> {
  try {
    await mkdir(path, { mode: 0o700 })
    return 'made'
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return 'no parent'
    if (await isFolder(path)) return 'made'
    throw error
  }
}

const isFolder = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
