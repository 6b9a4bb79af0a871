/** A program as one script, beside V8's compiled form of it ("code cache"): most of a start is else the compiling of what it needs. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { Script } from 'node:vm'
import { forgetHeapFlags } from '../../lib/v8-flags.ts'

const digestBytes = 32

/** The compiled form belongs to these alone: other versions of V8 lay it out differently. */
const runtime = () => JSON.stringify([process.versions, process.platform, process.arch])

/**
 * V8 refuses what another version of it or other flags made. It looks neither at the source (but for its length) nor whether a
 * byte is wrong, and a wrong byte ends the process; so the digest is over all of it.
 */
function digestOf(source: Uint8Array, compiled: Uint8Array): Buffer {
  return createHash('sha256').update(runtime()).update(source).update(compiled).digest()
}

/** What the cache's file holds. */
export function packCache(source: Uint8Array, compiled: Uint8Array): Buffer {
  return Buffer.concat([digestOf(source, compiled), compiled])
}

/** The compiled form; undefined when the file is none for this source and this Node.js. */
function unpackCache(source: Uint8Array, file: Uint8Array): Uint8Array | undefined {
  const compiled = file.subarray(digestBytes)
  return digestOf(source, compiled).equals(file.subarray(0, digestBytes)) ? compiled : undefined
}

export const cacheFileOf = (file: string): string => `${file}.cache`

export interface CompiledScript {
  readonly script: Script
  readonly source: Uint8Array
  /** False: V8 compiles it as it goes. */
  readonly cached: boolean
}

/** The script in `file`, ASCII, by the cache beside it where that fits. Anything wrong with a cache costs time, nothing else. */
export function readScript(file: string): CompiledScript {
  const source = readFileSync(file)
  const cachedData = cacheFor(file, source)
  forgetHeapFlags()
  // The compiled form keeps the name that stack traces show: the same wherever it was made.
  const filename = `coffer/${basename(dirname(file))}/${basename(file)}`
  const script = new Script(source.toString('latin1'), { filename, ...(cachedData ? { cachedData } : {}) })
  return { script, source, cached: cachedData !== undefined && script.cachedDataRejected === false }
}

function cacheFor(file: string, source: Uint8Array): Uint8Array | undefined {
  try {
    return unpackCache(source, readFileSync(cacheFileOf(file)))
  } catch {
    // Absent, or not to be read.
    return undefined
  }
}

/** Modules that the script imports by name while it runs. */
export type Later = (name: string) => Promise<unknown>

/** Runs it: a function of the parameters that build.mjs wraps it in. Returns what it exports. */
export function runScript({ script }: Pick<CompiledScript, 'script'>, file: string, later: Later): unknown {
  const module: { exports: unknown } = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(file), module, file, later)
  return module.exports
}

/**
 * What a package in CommonJS exports, its JavaScript being the script in `file`, made of `version` of it; its native code is found
 * from `entry`, where it is installed. Undefined: another version is.
 */
export function runPackage(file: string, entry: string, version: string): unknown {
  const about: unknown = JSON.parse(readFileSync(join(dirname(entry), '../package.json'), 'utf8'))
  if (typeof about !== 'object' || about === null || !('version' in about) || about.version !== version)
    return undefined
  return runScript(readScript(file), entry, (name) => import(name))
}
