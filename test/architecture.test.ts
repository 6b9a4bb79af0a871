import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const src = join(root, 'src')

const walk = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(dir, entry.name)) : entry.name.endsWith('.ts') ? [join(dir, entry.name)] : [],
  )
const files = walk(src)
const isTest = (file: string) => /\.(test|conformance)\.ts$/.test(file) || /(^|\/)(test-|fake-)/.test(file)
const sources = files.filter((file) => !isTest(file))

/** Relative imports, static and dynamic, as paths below src. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)]
  return found.map((match) => relative(src, resolve(dirname(file), match[1] ?? '')))
}
const below = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`)

const nouns = [
  'mounts',
  'tokens',
  'leases',
  'policies',
  'identity',
  'wrapping',
  'quotas',
  'lockout',
  'namespaces',
  'telemetry',
  'snapshots',
].map((n) => `server/${n}`)
const contracts = ['server/contracts', 'lib']

/** Folder -> what it may import besides itself. The first match counts, so the narrower folder stands first. */
const rules: readonly (readonly [folder: RegExp, allowed: readonly string[]])[] = [
  [/^lib$/, []],
  [/^(sdk|kube|gotemplate|server\/contracts)$/, ['lib']],
  [
    /^server\/storage\/(memory|lmdb|postgres)$/,
    ['server/storage/feed.ts', 'server/storage/leadership.ts', 'server/storage/rules.ts', ...contracts],
  ],
  [/^server\/(storage|barrier)$/, contracts],
  [/^server\/audit\/(broker|verify)$/, contracts],
  [/^server\/audit\/[^/]+$/, contracts],
  [/^server\/seal\/[^/]+$/, [...contracts, 'sdk']],
  [/^server\/(engines|auth)\/kubernetes$/, [...contracts, 'gotemplate', 'kube']],
  [/^server\/(engines|auth)\/[^/]+$/, [...contracts, 'gotemplate']],
  [/^server\/wrapping$/, ['server/tokens', 'server/leases', ...contracts]],
  [/^server\/(mounts|policies|identity|wrapping|quotas|lockout|namespaces|usage|telemetry|snapshots)$/, contracts],
  [/^server\/leases$/, ['server/mounts', ...contracts]],
  [/^server\/tokens$/, ['server/leases', ...contracts]],
  [/^server\/faces\/[^/]+$/, [...nouns, 'server/audit/broker', 'server/barrier', 'server/seal', ...contracts]],
  [/^server\/pipeline$/, [...nouns, 'server/audit/broker', ...contracts]],
  [/^server\/http$/, ['server/pipeline', ...contracts]],
  [
    /^controller\/(reconcilers|providers|generators)\/[^/]+$/,
    [
      'controller/crds',
      'controller/providers/provider.ts',
      'controller/reconcilers/context.ts',
      'kube',
      'sdk',
      'gotemplate',
      'lib',
    ],
  ],
  [/^controller$/, ['kube', 'sdk', 'gotemplate', 'lib']],
  [/^agent$/, ['sdk', 'gotemplate', 'lib']],
  [/^injector$/, ['kube', 'gotemplate', 'lib']],
  [/^cli$/, ['sdk', 'lib']],
  [/^devcluster\/(api|workloads)$/, ['kube', 'lib']],
  [/^programs$/, ['']],
  [/^main\.ts$/, ['programs']],
]

/** The folder of the table that a path belongs to: the longest prefix that a rule names. */
function ruleFor(path: string): readonly [string, readonly string[]] | undefined {
  const parts = path.split('/')
  for (let length = Math.min(parts.length, 4); length > 0; length -= 1) {
    const folder = parts.slice(0, length).join('/')
    const rule = rules.find(([pattern]) => pattern.test(folder))
    if (rule) return [folder, rule[1]]
  }
  return undefined
}

describe('import rules', () => {
  it('every source file belongs to a folder of the table', () => {
    expect(sources.map((file) => relative(src, file)).filter((path) => !ruleFor(path))).toEqual([])
  })

  it('a folder imports only what the design allows', () => {
    const wrong = sources.flatMap((file) => {
      const path = relative(src, file)
      const rule = ruleFor(path)
      if (!rule) return []
      const [folder, allowed] = rule
      return importsOf(file)
        .filter((target) => !below(target, folder) && !allowed.some((a) => a === '' || below(target, a)))
        .map((target) => `${path} -> ${target}`)
    })
    expect(wrong).toEqual([])
  })

  it('nothing but programs reads the environment or exits', () => {
    const wrong = sources.filter((file) => {
      const path = relative(src, file)
      if (path.startsWith('programs/') || path === 'main.ts') return false
      return /\bprocess\.(env|exit|exitCode)\b/.test(
        readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ''),
      )
    })
    expect(wrong.map((file) => relative(src, file))).toEqual([])
  })

  it('time and chance are passed in', () => {
    const wrong = sources.filter((file) => {
      const path = relative(src, file)
      if (/^(programs\/|main\.ts|lib\/clock\.ts|lib\/random\.ts)/.test(path)) return false
      const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
      return /\b(Date\.now|Math\.random|new Date\(\)|setInterval)\b/.test(text)
    })
    expect(wrong.map((file) => relative(src, file))).toEqual([])
  })
})

describe('size and names', () => {
  it('no source file is longer than 400 lines', () => {
    const long = sources.filter(
      (file) => !file.endsWith('.gen.ts') && readFileSync(file, 'utf8').split('\n').length > 401,
    )
    expect(long.map((file) => relative(src, file))).toEqual([])
  })

  it('files are named for what they hold', () => {
    const bad = files
      .map((file) => relative(src, file))
      .filter((path) => /(^|\/)(utils|helpers|common|misc|types|index)\.ts$/.test(path) || /[A-Z_]/.test(path))
    expect(bad).toEqual([])
  })

  it('a folder holds at most 12 source files', () => {
    const count = new Map<string, number>()
    for (const file of sources)
      count.set(relative(src, dirname(file)), (count.get(relative(src, dirname(file))) ?? 0) + 1)
    expect(
      [...count].filter(([folder, n]) => n > 12 && folder !== 'lib').map(([folder, n]) => `${folder}: ${n}`),
    ).toEqual([])
  })
})
