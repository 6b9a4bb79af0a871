import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { gzipSync } from 'node:zlib'
import { makeFolder } from '../../lib/make-folder.ts'
import { Failure } from '../command.ts'
import { tarOf } from './tar.ts'

/** Where a capture is written: a folder, or while it lasts a folder that becomes one compressed file. Only the owner reads either. */
export class Bundle {
  readonly folder: string
  /** What remains at the end. */
  readonly destination: string
  readonly #compress: boolean

  /** Failure 1 when anything is there already: nothing is overwritten. */
  constructor(options: { output: string; compress: boolean }) {
    const output = normalize(options.output).replace(/\/+$/, '')
    this.#compress = options.compress
    this.destination = options.compress && !/\.(?:tar\.gz|tgz)$/.test(output) ? `${output}.tar.gz` : output
    this.folder = options.compress ? output.replace(/\.(?:tar\.gz|tgz)$/, '') : output
    if (this.#compress && existsSync(this.destination)) {
      throw new Failure(1, `Error during validation: output file already exists: ${this.destination}`)
    }
    if (existsSync(this.folder)) {
      throw new Failure(1, `Error during validation: output directory already exists: ${this.folder}`)
    }
    try {
      makeFolder(dirname(this.folder))
      mkdirSync(this.folder, { mode: 0o700 })
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new Failure(1, `Error during validation: unable to create output directory: ${why}`, { cause })
    }
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 })
  }

  append(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600, flag: 'a' })
  }

  files(): string[] {
    return readdirSync(this.folder).sort()
  }

  finish(now: number): void {
    if (!this.#compress) return
    const top = basename(this.folder)
    const entries = [
      { name: `${top}/`, content: new Uint8Array(), modifiedAt: now },
      ...this.files().map((name) => ({
        name: `${top}/${name}`,
        content: readFileSync(join(this.folder, name)),
        modifiedAt: now,
      })),
    ]
    writeFileSync(this.destination, gzipSync(tarOf(entries)), { mode: 0o600, flag: 'wx' })
    rmSync(this.folder, { recursive: true })
  }
}
