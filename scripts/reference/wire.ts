/** docs/reference/wire.md from the routes of a running server and from the lists of recorded exchanges. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Fields } from '../../src/server/contracts/fields.ts'
import type { Operation, Route, Verb } from '../../src/server/contracts/request.ts'
import type { Mount } from '../../src/server/mounts/mount.ts'
import { startServer } from '../../test/wire/replay.ts'
import { code, generated, page, table } from './markdown.ts'

const testFolder = join(import.meta.dirname, '..', '..', 'test')
const load = (...path: string[]) => JSON.parse(readFileSync(join(testFolder, ...path), 'utf8'))

export async function renderWire(): Promise<string> {
  const mounts = await mountsToDescribe()
  return page(
    generated,
    '# HTTP API',
    'What the server answers, below `/v1/`. Requests and answers are those of the HTTP API of Vault and OpenBao; a path or a verb that is not listed here is answered 404 or 405.',
    '## Verbs',
    table(
      ['Verb', 'HTTP'],
      (Object.keys(methods) as Verb[]).map((verb) => [verb, methods[verb]]),
    ),
    'HELP on a path, or `?help=1`, answers what it is for. A write decides `create` or `update` for the policy by whether the thing exists, where the route can tell; elsewhere it is `update`.',
    '## Access',
    table(
      ['Access', 'Who may call'],
      [
        ['token', 'A token whose policies have the capability of the verb.'],
        ['sudo', 'The same, and the capability `sudo`.'],
        ['public', 'Everyone; no token is looked at.'],
        ['optional', 'Everyone; a token that is sent is checked.'],
      ],
    ),
    ...mounts.flatMap(describe),
    ...differences(),
  )
}

const methods: Readonly<Record<Verb, string>> = {
  read: 'GET',
  list: 'LIST, or GET with `?list=true`',
  scan: 'SCAN, or GET with `?scan=true`',
  update: 'POST or PUT',
  patch: 'PATCH with `application/merge-patch+json`',
  delete: 'DELETE',
  head: 'HEAD',
}

interface Described {
  readonly title: string
  readonly prefix: string
  readonly routes: readonly Route[]
}

async function mountsToDescribe(): Promise<Described[]> {
  const core = await startServer()
  try {
    const rest = { description: '', local: false, sealWrap: false, config: {} }
    await core.mounts.enable({ ...rest, path: 'kv/', class: 'secret', type: 'kv', options: { version: '1' } })
    await core.mounts.enable({ ...rest, path: 'auth/kubernetes/', class: 'auth', type: 'kubernetes', options: null })
    const described = (title: string, path: string, prefix = path): Described => {
      const mount: Mount | undefined = core.mounts.known.at(path)
      if (!mount) throw new Error(`nothing is mounted at ${path}`)
      return { title, prefix, routes: mount.engine.routes }
    }
    return [
      described('System', 'sys/'),
      described('Tokens', 'auth/token/'),
      described('Auth method kubernetes', 'auth/kubernetes/', 'auth/<mount>/'),
      described('Secrets engine kv, version 2', 'secret/', '<mount>/'),
      described('Secrets engine kv, version 1', 'kv/', '<mount>/'),
    ]
  } finally {
    await core.close(0)
  }
}

function describe({ title, prefix, routes }: Described): string[] {
  const inputs = routes.flatMap((route) => inputsOf(prefix, route))
  return [
    `## ${title}`,
    table(
      ['Path', 'Verbs', 'Access', 'What'],
      routes.flatMap((route) => verbRows(prefix, route)),
    ),
    ...(inputs.length > 0
      ? [`### Inputs: ${title}`, table(['Path', 'Verbs', 'Name', 'Kind', 'Default', 'Meaning'], inputs)]
      : []),
  ]
}

/** Verbs of a path that are alike make one row. */
function verbRows(prefix: string, route: Route): string[][] {
  const rows = new Map<string, string[]>()
  for (const [verb, operation] of Object.entries(route.on)) {
    const access = operation.access ?? 'token'
    const sealed = operation.sealed === 'allowed' ? ' Also while sealed.' : ''
    const key = access + sealed
    const verbs = rows.get(key)?.[1]
    const what = `${route.summary}${sealed}`
    rows.set(key, [code(prefix + route.path), verbs ? `${verbs}, ${verb}` : verb, access, what])
  }
  return [...rows.values()]
}

/** Inputs that several verbs of a path share make one row. */
function inputsOf(prefix: string, route: Route): string[][] {
  const byInput = new Map<string, { verbs: string[]; row: string[] }>()
  const path = code(`${prefix}${route.path}`)
  for (const [verb, operation] of Object.entries(route.on)) {
    for (const row of rowsOf(operation)) {
      const found = byInput.get(row.join('|'))
      if (found) found.verbs.push(verb)
      else byInput.set(row.join('|'), { verbs: [verb], row })
    }
  }
  return [...byInput.values()].map(({ verbs, row }) => [path, verbs.join(', '), ...row])
}

function rowsOf(operation: Operation): string[][] {
  if (operation.input === 'free') return [['any', 'json', '', 'The body as it is sent']]
  return Object.entries(operation.input as Fields).map(([name, field]) => [
    code(name),
    field.kind,
    field.default === undefined || field.default === '' ? '' : code(JSON.stringify(field.default)),
    `${field.description}${field.deprecated ? ' (deprecated)' : ''}`,
  ])
}

interface Intended {
  readonly at: readonly string[]
  readonly paths: readonly string[]
  readonly reason: string
}

function differences(): string[] {
  const intended: Intended[] = load('wire', 'intended.json')
  const open: string[] = load('wire', 'open.json')
  const files = readdirSync(join(testFolder, 'recorded', 'wire')).filter((name) => /^\d.*\.json$/.test(name))
  const differing = new Set(intended.flatMap(({ at }) => at))
  const counts = files.sort().map((file) => {
    const names = (load('recorded', 'wire', file) as unknown[]).map((_, index) => `${file}:${index}`)
    const unlike = names.filter((name) => differing.has(name)).length
    const missing = names.filter((name) => open.includes(name)).length
    return { file, total: names.length, equal: names.length - unlike - missing, unlike, missing }
  })
  const row = (name: string, of: typeof counts) => [
    name,
    ...(['total', 'equal', 'unlike', 'missing'] as const).map((key) => String(of.reduce((n, c) => n + c[key], 0))),
  ]
  return [
    '## Recorded exchanges',
    'Requests and answers recorded from OpenBao (`test/recorded/wire`) are replayed against this server at each `npm test`. Equal: nothing differs but what is new in each run (ids, times). Intended: exactly the members named below differ. Open: not built yet; this list may only shrink.',
    table(
      ['Recording', 'Exchanges', 'Equal', 'Intended', 'Open'],
      [...counts.map((c) => row(c.file, [c])), row('all', counts)],
    ),
    '## Where we differ on purpose',
    table(
      ['Exchange', 'What differs', 'Why'],
      intended.map(({ at, paths, reason }) => [at.join(', '), paths.map(code).join(', '), withoutSource(reason)]),
    ),
  ]
}

/** Reasons name the notes that they come from, which are not in this repository. */
const withoutSource = (reason: string) => reason.replace(/\s*\((?:vault|design)\.md[^)]*\)/g, '')
