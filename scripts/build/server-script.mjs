// Bundles the server into scripts (dist/compiled/), which src/programs/compiled/compiled-script.ts runs: V8 can keep the compiled
// form of a script, not that of ES modules (before Node.js 22). What few servers use stays in chunks.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'

/**
 * Imported when first used, from the ES modules. None of them may import a module that the server has too: there would be two of
 * it, with classes that don't know each other.
 */
const later = {
  jose: 'jose',
  pg: 'pg',
  'qrcode-generator': 'qrcode-generator',
  ws: 'ws',
  yaml: 'yaml',
  certificates: './src/lib/x509/certificates.ts',
  'sdk-client': './src/server/seal/awskms/sdk-client.ts',
  's3-client': './src/programs/server/snapshots/s3/s3-client.ts',
}
/** A script of its own: it compiles code when it loads ("eval"), which makes all code around that slower. */
const lmdb = 'lmdb'

function nameOf(path) {
  if (path === lmdb) return lmdb
  return Object.keys(later).find(
    (name) => later[name] === path || (later[name].startsWith('.') && path.endsWith(`/${name}.ts`)),
  )
}

/** For the build of the ES modules: in place of the server its script, and how to import what it asks for. */
export const scriptInPlaceOfServer = (root) => ({
  name: 'the server as a script',
  setup(plugin) {
    plugin.onResolve({ filter: /\/server\.ts$/ }, ({ kind, importer, path }) =>
      kind === 'dynamic-import' && importer === join(root, 'src/programs/table.ts')
        ? { path, namespace: 'script' }
        : undefined,
    )
    plugin.onLoad({ filter: /.*/, namespace: 'script' }, () => ({ resolveDir: root, contents: moduleOfServer(root) }))
  },
})

function moduleOfServer(root) {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/lmdb/package.json'), 'utf8'))
  const imports = Object.entries(later).map(([name, path]) => `'${name}': () => import('${path}')`)
  return `
    import { createRequire } from 'node:module'
    import { fileURLToPath } from 'node:url'
    import { readScript, runPackage, runScript } from './src/programs/compiled/compiled-script.ts'
    const fileOf = (name) => fileURLToPath(new URL('../compiled/' + name + '.js', import.meta.url))
    let lmdb
    // As an import: one module, however often it is asked for.
    const lmdbOnce = () => (lmdb ??= runPackage(fileOf('lmdb'), createRequire(import.meta.url).resolve('lmdb'), '${version}'))
    const later = { lmdb: async () => lmdbOnce() ?? import('lmdb'), ${imports} }
    const file = fileOf('server')
    export const { program } = runScript(readScript(file), file, (name) => later[name]())`
}

const prefix = 'later:'
const importsLater = {
  name: 'imports of the script',
  setup(plugin) {
    plugin.onResolve({ filter: /.*/ }, ({ kind, path }) => {
      const name = kind === 'dynamic-import' ? nameOf(path) : undefined
      return name && { path: `${prefix}${name}`, external: true }
    })
  },
}

/** More native code, for an encoding of values that Coffer does not use. */
const noMsgpackr = { 'process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED': '"true"' }

/** Returns esbuild's accounts of them. */
export async function buildScripts(root, outdir) {
  const server = { name: 'server', entry: 'src/programs/server.ts', plugins: [importsLater] }
  // As require() finds it: its files are kept apart from one another, as that code needs.
  const storage = { name: lmdb, entry: createRequire(join(root, '-')).resolve(lmdb), define: noMsgpackr }
  return Promise.all([server, storage].map((script) => buildScript(root, outdir, script)))
}

async function buildScript(root, outdir, { name, entry, plugins = [], define = {} }) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { [`compiled/${name}`]: entry },
    outdir,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    minifySyntax: true,
    metafile: true,
    legalComments: 'linked',
    external: ['bufferutil', 'utf-8-validate', 'msgpackr-extract'],
    define: { 'import.meta.url': '__filename', ...define },
    banner: { js: '(function (exports, require, module, __filename, importLater) {' },
    footer: { js: '})' },
    plugins,
    logLevel: 'warning',
    logOverride: { 'direct-eval': 'silent' },
  })
  const file = join(root, outdir, `compiled/${name}.js`)
  writeFileSync(file, checked(readFileSync(file, 'utf8').replaceAll(`import("${prefix}`, 'importLater("'), metafile))
  return metafile
}

/** A script has no import(). In ASCII V8 needs half the memory for it; esbuild leaves comments and regular expressions as they are. */
function checked(text, { outputs }) {
  const imports = Object.values(outputs).flatMap((output) => output.imports)
  const missed = imports.filter(({ kind, path }) => kind === 'dynamic-import' && !path.startsWith(prefix))
  if (missed.length > 0) {
    throw new Error(
      `${missed.map(({ path }) => path)}: import it statically, or name it in "later" (server-script.mjs)`,
    )
  }
  return text.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
