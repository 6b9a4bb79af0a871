/** Builds of the program from the present sources, for tests with nodes of two versions. Nothing of this is in what is shipped. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { build } from 'esbuild'

const root = resolve(import.meta.dirname, '../..')

/** By file: what stands there, and what the other version has in its place. */
type Changes = Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>

/**
 * A version that knows storage format 2, in which a password policy has a further member. Such a row it writes in the format that
 * the storage has, and reads in both, as every change of a form has to.
 */
export const nextVersion: Changes = {
  'src/programs/server.ts': [['coffer: manifest.version', "coffer: '9.9.9'"]],
  'src/server/barrier/plain-rows.ts': [['knownFormat = 1', 'knownFormat = 2']],
  'src/server/policies/passwords/password-policies.ts': [
    ['row.format !== 1 ||', '(row.format !== 1 && row.format !== 2) ||'],
    ['return { ...row, format: 1, text: row.text }', 'return { ...row, text: row.text }'],
    [
      '{ ...before, format: 1, text }',
      "{ ...before, format: tx.format, text, ...(tx.format >= 2 && { by: 'format 2' }) }",
    ],
  ],
}

export interface Program {
  readonly path: string
  remove(): void
}

export async function buildProgram(changes: Changes = {}): Promise<Program> {
  // Below the repository, where its packages are found.
  const caches = join(root, 'node_modules/.cache')
  mkdirSync(caches, { recursive: true })
  const folder = mkdtempSync(join(caches, 'coffer-build-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    await build({
      absWorkingDir: root,
      entryPoints: { coffer: 'src/main.ts' },
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external' },
      logLevel: 'error',
      plugins: [
        {
          name: 'changes',
          setup: (plugin) => {
            plugin.onLoad({ filter: /\.ts$/ }, ({ path }) => {
              const made = changes[path.slice(root.length + 1)]
              return made && { contents: changed(path, made), loader: 'ts' }
            })
          },
        },
      ],
    })
    return { path: join(folder, 'coffer.mjs'), remove }
  } catch (error) {
    remove()
    throw error
  }
}

function changed(path: string, changes: readonly (readonly [string, string])[]): string {
  return changes.reduce(
    (text, [from, to]) => {
      if (text.split(from).length !== 2) throw new Error(`${path} does not have once: ${from}`)
      return text.replace(from, () => to)
    },
    readFileSync(path, 'utf8'),
  )
}
