/** Files that say something about the running process: its log and its pid. */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'

/** Appends; `reopen` after the file was moved away (SIGHUP). Throws when it cannot be opened. */
export class LogFile {
  readonly #path: string
  #fd: number

  constructor(options: { path: string }) {
    this.#path = options.path
    this.#fd = openSync(options.path, 'a', 0o600)
  }

  /** A full disk must not end the server: standard error has the line as well. */
  write(line: string): void {
    try {
      writeSync(this.#fd, line)
    } catch {
      // Nothing to say it to.
    }
  }

  reopen(): void {
    const next = openSync(this.#path, 'a', 0o600)
    closeSync(this.#fd)
    this.#fd = next
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** The returned function removes it; so does the process when it ends itself before. */
export function writePidFile(path: string, pid: number): () => void {
  writeFileSync(path, String(pid), { mode: 0o644 })
  // A server that was started meanwhile has written its own.
  const remove = () => {
    if (existsSync(path) && readFileSync(path, 'utf8') === String(pid)) rmSync(path, { force: true })
  }
  process.once('exit', remove)
  return () => {
    process.off('exit', remove)
    remove()
  }
}
