import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it that are absent; one that is there stays as it is. For places that people name: Node's own
 * way, `recursive`, never ends where the system says that the parent is absent although it is there (below /proc), and can't be
 * interrupted. Throws the system's error.
 */
export function makeFolder(path: string, mode = 0o700): void {
  if (isFolder(path)) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent, mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    // Another process was faster.
    if (!isFolder(path)) throw error
  }
}

/** By trying: what Node.js 20 throws below a file, 22 takes for absence. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
