// Bundles src/main.ts and the library into dist/ (ES modules, one chunk per program; the server as one script, compiled), with the
// library's declarations, and writes dist/meta.json, which a test reads.
// --if-stale: does nothing when no source is newer than the last build, made by this Node.js: what it compiled no other takes. If
// that build could not compile the server ahead, only this is tried again.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import { stateOf } from './build/last-build.mjs'
import { buildScripts, scriptInPlaceOfServer } from './build/server-script.mjs'

const root = new URL('..', import.meta.url).pathname

const sources = ['src', 'package-lock.json', 'scripts'].map((name) => join(root, name))
const last = process.argv.includes('--if-stale') ? stateOf(join(root, 'dist'), sources) : 'stale'
// In its place: programs that run from it must not lose their files because of that alone.
if (last === 'not compiled') compileServer('dist')
if (last !== 'stale') process.exit(0)

/**
 * A chunk made of a CommonJS package exports only `default`; `await import('yaml')` in our source expects the names too, as Node
 * gives them. So such imports go through a module that lists them.
 */
const namedExportsOfCommonJs = {
  name: 'named exports of CommonJS',
  setup(plugin) {
    plugin.onResolve({ filter: /^(yaml|undici|pino)$/ }, (args) =>
      args.kind === 'dynamic-import' ? { path: args.path, namespace: 'commonjs-names' } : undefined,
    )
    plugin.onLoad({ filter: /.*/, namespace: 'commonjs-names' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter(
        (name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default' && name !== 'module.exports',
      )
      const lines = names.map((name, i) => `const x${i} = all.${name}; export { x${i} as ${name} }`)
      return { contents: [`import all from '${path}'`, 'export default all', ...lines].join('\n'), resolveDir: root }
    })
  },
}

/** AWS's packages give Node.js one large CommonJS file each; from their ES modules only what is used is taken (8 MB of memory instead of 14). */
const awsAsModules = {
  name: 'AWS packages as ES modules',
  setup(plugin) {
    plugin.onResolve({ filter: /^@(aws-sdk|smithy)\/[^/]+$/ }, ({ path, resolveDir }) => {
      const file = createRequire(join(resolveDir, '-')).resolve(`${path}/package.json`)
      const { module, exports } = JSON.parse(readFileSync(file, 'utf8'))
      return exports || !module ? undefined : { path: join(file, '..', module), sideEffects: false }
    })
  },
}

/** The declarations of coffer/sdk. They name each other by .js, which every compiler finds. */
function declareTypes(folder) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [compiler, '-p', 'scripts/sdk-types.json', '--outDir', folder], {
    cwd: root,
    stdio: 'inherit',
  })
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    writeFileSync(path, readFileSync(path, 'utf8').replace(/(from '\.[^']*)\.ts'/g, "$1.js'"))
  }
}

const started = Date.now()
/** Of this process alone: builds may run at the same time. */
const folder = `dist.new/${process.pid}`
const made = join(root, folder)
mkdirSync(made, { recursive: true })
for (const name of readdirSync(join(root, 'dist.new'))) {
  if (Number(name) === process.pid || isRunning(Number(name))) continue
  rmSync(join(root, 'dist.new', name), { recursive: true, force: true, maxRetries: 3 })
}
const result = await build({
  absWorkingDir: root,
  // sdk.js is what programs import as coffer/sdk.
  entryPoints: { coffer: 'src/main.ts', sdk: 'src/sdk/library/library.ts' },
  outdir: folder,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: false,
  minifySyntax: true,
  metafile: true,
  legalComments: 'linked',
  chunkNames: 'chunks/[name]-[hash]',
  // Native code stays in node_modules.
  external: ['lmdb', 'bufferutil', 'utf-8-validate'],
  // Packages in CommonJS ask for require() at run time.
  banner: {
    js: "import { createRequire as cofferRequire } from 'node:module'; const require = cofferRequire(import.meta.url);",
  },
  plugins: [namedExportsOfCommonJs, awsAsModules, scriptInPlaceOfServer(root)],
  logLevel: 'warning',
})
const scripts = await buildScripts(root, folder)
compileServer(folder)
declareTypes(join(made, 'types'))
mkdirSync(join(made, 'bin'), { recursive: true })
// Called by this name the program is the `vault` command line; pods get it on PATH and as /bin/vault.
writeFileSync(
  join(made, 'bin/vault'),
  '#!/bin/sh\nself=$(readlink -f "$0" 2>/dev/null || echo "$0")\nCOFFER_ARGV0=vault exec "${COFFER_NODE:-node}" "${self%/*}/../coffer.js" "$@"\n',
)
chmodSync(join(made, 'bin/vault'), 0o755)
// The demo's application goes where pods can see it: their root holds the build and little else.
mkdirSync(join(made, 'apps'), { recursive: true })
copyFileSync(join(root, 'examples/demo/my-app.mjs'), join(made, 'apps/my-app.mjs'))
const meta = [result.metafile, ...scripts]
const all = (part) => Object.assign({}, ...meta.map((metafile) => metafile[part]))
const account = join(made, 'meta.json')
writeFileSync(account, JSON.stringify({ node: process.version, inputs: all('inputs'), outputs: all('outputs') }))
// What was changed since is not in it.
utimesSync(account, started / 1000, started / 1000)
place()
console.log(`built dist/ in ${Date.now() - started} ms`)

function compileServer(built) {
  try {
    execFileSync(process.execPath, ['--import', 'tsx', 'scripts/compile-server.ts', built], {
      cwd: root,
      stdio: 'inherit',
      // V8 takes what it compiled only under the same flags: those of a server, not of this build.
      env: { ...process.env, NODE_OPTIONS: '' },
    })
  } catch (error) {
    console.warn(
      `the server was not compiled ahead, so it will start slower; the next build --if-stale tries it again: ${error.message}`,
    )
  }
}

/** Who did not come to its end leaves its folder behind. */
function isRunning(pid) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** In place of the last build, whole. Another build may do the same: then the later one stays. */
function place() {
  const dist = join(root, 'dist')
  for (let attempt = 1; ; attempt += 1) {
    try {
      rmSync(dist, { recursive: true, force: true, maxRetries: 3 })
      renameSync(made, dist)
      break
    } catch (error) {
      if (attempt === 10 || !['ENOTEMPTY', 'EEXIST'].includes(error.code)) throw error
    }
  }
  try {
    rmdirSync(join(root, 'dist.new'))
  } catch {
    // Another build is in it.
  }
}
