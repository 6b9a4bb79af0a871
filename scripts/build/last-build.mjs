import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What V8 compiled ahead, in the build's folder. */
const compiledForms = ['server', 'lmdb'].map((name) => `compiled/${name}.js.cache`)

const newest = (path) =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((time, name) => Math.max(time, newest(join(path, name))), 0)
    : statSync(path).mtimeMs

/**
 * Of the last build in `dist`: 'stale' when a source is newer or another Node.js made it, whose compiled forms this one does not
 * take; 'not compiled' when it is whole but for those; else 'fresh'.
 */
export function stateOf(dist, sources) {
  const account = join(dist, 'meta.json')
  if (!existsSync(account)) return 'stale'
  if (statSync(account).mtimeMs <= Math.max(...sources.map(newest))) return 'stale'
  if (JSON.parse(readFileSync(account, 'utf8')).node !== process.version) return 'stale'
  return compiledForms.every((name) => existsSync(join(dist, name))) ? 'fresh' : 'not compiled'
}
