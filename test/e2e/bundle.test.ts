import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { root } from './server-process.ts'

interface Output {
  readonly entryPoint?: string
  readonly inputs: Readonly<Record<string, object>>
  readonly imports: readonly { readonly path: string; readonly kind: string; readonly external?: boolean }[]
}

/** esbuild's own account of the build. */
const meta: { outputs: Record<string, Output> } = JSON.parse(readFileSync(join(root, 'dist/meta.json'), 'utf8'))
/** The server's, which are scripts and no chunks. */
const compiled = (name: string) => join(root, `dist/compiled/${name}.js`)

/** Whether a process without flags takes what the build compiled: of the server, and of LMDB once the server has set its flags. */
function takesCompiled(): { server: boolean; lmdb: boolean } {
  const from = (path: string) => JSON.stringify(pathToFileURL(join(root, `src/${path}.ts`)).href)
  const code = `
    const { readScript } = await import(${from('programs/compiled/compiled-script')})
    const { setV8Flags } = await import(${from('lib/v8-flags')})
    const server = readScript(${JSON.stringify(compiled('server'))}).cached
    setV8Flags()
    console.log(JSON.stringify({ server, lmdb: readScript(${JSON.stringify(compiled('lmdb'))}).cached }))`
  const node = ['--import', 'tsx', '--input-type=module', '-e', code]
  // V8 refuses it under flags like --max-old-space-size, which those who run these tests may have set.
  const env = { ...process.env, NODE_OPTIONS: '' }
  return JSON.parse(execFileSync(process.execPath, node, { cwd: root, env, encoding: 'utf8' }))
}

const heavy = ['zod', 'undici', 'pino', 'yaml', 'ws', 'lmdb']

const chunkOf = (entry: string) => {
  const found = Object.keys(meta.outputs).find((path) => meta.outputs[path]?.entryPoint === entry)
  if (found === undefined) throw new Error(`the build has no chunk for ${entry}`)
  return found
}

/** What is loaded before the first line of `entry` runs: the chunk and all that it imports statically. */
function loadedAtStart(entry: string): { packages: string[]; externals: string[]; sources: string[] } {
  const chunks = new Set<string>()
  const externals = new Set<string>()
  const visit = (path: string) => {
    if (chunks.has(path)) return
    chunks.add(path)
    for (const one of meta.outputs[path]?.imports ?? []) {
      if (one.kind === 'dynamic-import') continue
      if (one.external) externals.add(one.path)
      else visit(one.path)
    }
  }
  visit(chunkOf(entry))
  const inputs = [...chunks].flatMap((path) => Object.keys(meta.outputs[path]?.inputs ?? {}))
  return {
    sources: inputs.filter((path) => path.startsWith('src/')),
    packages: [...new Set(inputs.flatMap((path) => packageOf(path) ?? []))],
    externals: [...externals],
  }
}

const packageOf = (path: string) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]

describe('what is loaded at start', () => {
  it.each(['src/main.ts', 'src/programs/cli.ts', 'src/programs/agent.ts', 'src/sdk/library/library.ts'])(
    'by %s holds no heavy package',
    (entry) => {
      const { packages, externals, sources } = loadedAtStart(entry)
      expect(sources).toContain(entry)
      expect(packages.filter((name) => heavy.includes(name))).toEqual([])
      expect(externals.filter((name) => !isBuiltin(name))).toEqual([])
    },
  )

  it('by src/main.ts is none of the programs: each is loaded when it is asked for', () => {
    const { sources } = loadedAtStart('src/main.ts')
    expect(sources.sort()).toEqual(['src/main.ts', 'src/programs/process.ts', 'src/programs/table.ts'])
  })

  it('by the server is compiled: a start takes what the build made', () => {
    expect(takesCompiled()).toEqual({ server: true, lmdb: true })
  })

  // Two of a module are two of its classes.
  it('by the server is no module of its own twice: what it imports later shares none with it', () => {
    const { sources } = loadedAtStart('src/programs/server.ts')
    const later = ['lib/x509/certificates', 'server/seal/awskms/sdk-client', 'programs/server/snapshots/s3/s3-client']
    const twice = later
      .flatMap((path) => loadedAtStart(`src/${path}.ts`).sources)
      .filter((path) => sources.includes(path))
    expect(twice).toEqual([])
  })

  it('by the server is nothing that only some configurations need', () => {
    const { packages, externals } = loadedAtStart('src/programs/server.ts')
    expect([...packages, ...externals].filter((name) => /^@aws-sdk|^@smithy/.test(name))).toEqual([])
    // It is there for those: in chunks of its own.
    const { packages: later } = loadedAtStart('src/server/seal/awskms/sdk-client.ts')
    expect(later).toContain('@aws-sdk/client-kms')
    expect(loadedAtStart('src/programs/server/snapshots/s3/s3-client.ts').packages).toContain('@aws-sdk/client-s3')
  })

  it('would be noticed: the packages are in the build under these names', () => {
    const everywhere = new Set(
      Object.values(meta.outputs).flatMap(({ inputs, imports }) => [
        ...Object.keys(inputs).flatMap((path) => packageOf(path) ?? []),
        ...imports.map(({ path }) => path),
      ]),
    )
    expect(heavy.filter((name) => !everywhere.has(name))).toEqual([])
    expect(loadedAtStart('src/programs/server.ts').packages).toContain('zod')
  })
})
