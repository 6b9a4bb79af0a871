/** The pages of docs/reference name what the code knows: no more, no less. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { environment } from '../scripts/reference/cli.ts'
import { renderReference } from '../scripts/reference/pages.ts'
import { readConfig } from '../src/agent/config/read-config.ts'
import { Section } from '../src/agent/config/section.ts'
import { agentFunctions } from '../src/agent/functions/table.ts'
import type { ExternalSecret } from '../src/controller/crds/external-secret.ts'
import { parseExternalSecret } from '../src/controller/crds/external-secret.ts'
import { externalSecretSchema } from '../src/controller/crds/external-secret-schema.ts'
import { secretStoreSchema } from '../src/controller/crds/secret-store-schema.ts'
import type { Structural } from '../src/controller/crds/structural.ts'
import { parseVaultSpec } from '../src/controller/providers/vault/spec.ts'
import { refusalOf } from '../src/controller/reconcilers/externalsecret/unsupported.ts'
import { families, names } from '../src/injector/annotations/known.ts'
import { standardDefaults } from '../src/injector/defaults.ts'
import { admit } from '../src/injector/webhook.ts'
import { usage as serverUsage } from '../src/programs/server/configuration/flags.ts'
import { parseConfiguration } from '../src/programs/server/configuration.ts'

const root = join(import.meta.dirname, '..')
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8')
const reference = (name: string) => read('docs', 'reference', name)

/** Rows of the tables below a heading: cells without backticks. */
function rows(markdown: string, heading: string): string[][] {
  const lines = markdown.split('\n')
  const start = lines.indexOf(heading)
  if (start < 0) throw new Error(`no heading ${heading}`)
  const end = lines.findIndex((line, i) => i > start && /^#{1,3} /.test(line))
  return lines
    .slice(start, end < 0 ? undefined : end)
    .filter((line) => line.startsWith('|') && !/^\|[\s|-]+$/.test(line))
    .slice(1)
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', '')),
    )
}
const firstCells = (markdown: string, heading: string) => rows(markdown, heading).map(([first = '']) => first)
const sorted = (list: Iterable<string>) => [...list].sort()

describe('generated pages', () => {
  let pages: ReadonlyMap<string, string>
  beforeAll(async () => {
    pages = await renderReference()
  })

  it('are what the code says now (else: npx tsx scripts/generate-reference.ts)', () => {
    for (const [name, text] of pages) expect(reference(name), name).toBe(text)
  })

  it('name every variable that the command line reads', () => {
    const source = readdirSync(join(root, 'src/cli'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => read('src/cli', name))
      .join('\n')
    const asked = [...source.matchAll(/[sS]etting\([\w.#]+, '([A-Z_]+)'\)/g)].map(([, name]) => `VAULT_${name}`)
    expect(sorted(environment.map(([name]) => name))).toEqual(sorted(new Set(asked)))
  })
})

describe('links between documents', () => {
  const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'AGENTS.md'].concat(
    readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join('docs', name)),
  )
  it.each(documents)('of %s lead somewhere', (document) => {
    const targets = [...read(document).matchAll(/\]\(([^)#][^)]*?)(?:#[^)]*)?\)/g)].map(([, target = '']) => target)
    const missing = targets
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const path = join(root, dirname(document), target)
        const seen = readdirSync(dirname(path.replace(/\/$/, '')))
        return !seen.includes(path.replace(/\/$/, '').split('/').at(-1) ?? '')
      })
    expect(missing).toEqual([])
  })
})

describe('server.md', () => {
  const page = reference('server.md')
  const accepted = (text: string) => {
    try {
      parseConfiguration(text)
    } catch (error) {
      const list = /unknown key "zzz" in .*; accepted are (.*)$/.exec(String(error))?.[1]
      if (list !== undefined) return list.split(', ').filter(Boolean)
    }
    throw new Error(`${text} was not refused`)
  }

  it.each([
    ['### Top level', 'zzz = 1'],
    ['### `listener "tcp"`', 'storage "inmem" {}\nlistener "tcp" { zzz = 1 }'],
    ['### `storage "lmdb"`', 'storage "lmdb" { zzz = 1 }'],
    ['### `storage "postgresql"`', 'storage "postgresql" { zzz = 1 }'],
    ['### `storage "inmem"`', 'storage "inmem" { zzz = 1 }'],
    ['### `outbound`', 'storage "inmem" {}\noutbound { zzz = 1 }'],
    ['### `telemetry`', 'storage "inmem" {}\ntelemetry { zzz = 1 }'],
  ])('%s names the keys that are accepted', (heading, text) => {
    expect(sorted(firstCells(page, heading))).toEqual(sorted(accepted(text)))
  })

  it('names the flags of the usage', () => {
    const documented = firstCells(page, '## Flags').map((cell) => cell.replace(/=.*/, ''))
    const inUsage = [...serverUsage.matchAll(/^ {2}(-[a-z0-9-]+)/gm)].map(([, name = '']) => name)
    expect(sorted(documented.filter((name) => !name.startsWith('-help')))).toEqual(sorted(inUsage))
  })
})

describe('agent.md', () => {
  const page = reference('agent.md')
  afterEach(() => void vi.restoreAllMocks())

  /** Reads a configuration that has every block, and listens to which keys are asked for. */
  function keys(): { accepted: Set<string>; refused: Set<string> } {
    const accepted = new Set<string>()
    const refused = new Set<string>()
    const where = (section: Section) => /^"(.*?)" $/.exec(section.problem('', '').message)?.[1] ?? ''
    for (const method of ['text', 'flag', 'number', 'duration', 'mode', 'sections'] as const) {
      const original: any = Section.prototype[method]
      vi.spyOn(Section.prototype, method).mockImplementation(function (this: Section, key: string) {
        accepted.add(where(this) + key)
        return original.call(this, key)
      } as never)
    }
    const end = Section.prototype.end
    vi.spyOn(Section.prototype, 'end').mockImplementation(function (this: Section, notHere: readonly string[] = []) {
      for (const key of notHere) refused.add(where(this) + key)
      return end.call(this, notHere)
    })
    readConfig([{ path: 'all.json', text: JSON.stringify(everyBlock) }], {})
    for (const key of accepted) refused.delete(key)
    return { accepted, refused }
  }
  const everyBlock = {
    auto_auth: {
      method: { type: 'kubernetes', config: { role: 'r' } },
      sink: [{ type: 'file', config: { path: '/t' } }],
    },
    vault: { address: 'https://x', retry: { num_retries: 1 } },
    template: [{ destination: '/d', contents: 'x' }],
    template_config: { exit_on_retry_failure: true },
    listener: [{ type: 'tcp', tls_disable: true, agent_api: { enable_quit: true } }],
    cache: {},
  }

  it('names the keys that count', () => {
    expect(sorted(firstCells(page, '## Keys that count'))).toEqual(sorted(keys().accepted))
  })

  it('names the keys that are refused', () => {
    expect(sorted(firstCells(page, '## Keys that are refused by name'))).toEqual(sorted(keys().refused))
  })
})

describe('the functions in agent.md', () => {
  it('are those of the agent', () => {
    const [documented = ''] = firstCells(reference('agent.md'), '## Functions of templates')
    const lookup = { secret: () => undefined, secrets: () => [] }
    const known = agentFunctions({ lookup, env: {}, clock: { now: () => 0 } })
    expect(documented.split(', ')).toEqual(sorted(known.keys()))
  })
})

describe('annotations.md', () => {
  const page = reference('annotations.md')
  const verdictWith = (annotations: Record<string, string>) =>
    admit(
      {
        namespace: 'default',
        object: {
          metadata: {
            name: 'p',
            annotations: Object.fromEntries(
              Object.entries({ 'agent-inject': 'true', role: 'r', 'agent-inject-secret-a': 'a', ...annotations }).map(
                ([name, value]) => [`vault.hashicorp.com/${name}`, value],
              ),
            ),
          },
          spec: {
            containers: [
              {
                name: 'c',
                image: 'i',
                volumeMounts: [{ name: 't', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
              },
            ],
          },
        },
      },
      { ...standardDefaults, address: 'https://v', image: 'i' },
    )

  it('names the annotations with a fixed name', () => {
    expect(sorted(firstCells(page, '## Names'))).toEqual(sorted(names))
  })

  it('names the families', () => {
    expect(sorted(firstCells(page, '## Families'))).toEqual(sorted(families.map((family) => `${family}*`)))
  })

  it('names what is denied', () => {
    const denied = firstCells(page, '## Denied')
    const list = /const unsupported = \[(.*)\]/.exec(read('src/injector/annotations/known.ts'))?.[1] ?? ''
    expect(denied).toEqual([...list.matchAll(/'([^']+)'/g)].map(([, name]) => name))
    for (const name of denied) {
      const verdict = verdictWith({ [name]: 'true' })
      expect(verdict.allowed).toBe(false)
      expect(verdict.message).toContain(name)
    }
  })

  it('names what is warned of', () => {
    const values: Record<string, string> = {
      'auth-type': 'approle',
      'auth-config-*': 'x',
      'agent-cache-enable': 'true',
      'agent-telemetry-*': '1',
      'agent-disable-idle-connections': 'auto-auth',
      'agent-disable-keep-alives': 'auto-auth',
      'template-max-connections-per-host': '3',
      'proxy-address': 'http://proxy',
    }
    expect(sorted(firstCells(page, '## Warned'))).toEqual(sorted(Object.keys(values)))
    for (const [name, value] of Object.entries(values)) {
      const warnings = verdictWith({ [name.replace('*', 'other')]: value }).warnings ?? []
      expect(warnings.join('\n'), name).toContain(`${name.replace('*', 'other')}: not implemented by coffer agent`)
    }
    // All others pass without a word.
    for (const name of names.filter((one) => /^(agent-(limits|requests)|client-|tls-server|log-)/.test(one)))
      expect(verdictWith({ [name]: '1' }).warnings ?? [], name).toEqual([])
  })
})

describe('externalsecret.md', () => {
  const page = reference('externalsecret.md')
  /** "spec.data[].secretKey" of every leaf; nothing below a field that is documented as a whole. */
  function leaves(schema: Structural, whole: ReadonlySet<string>, path = ''): string[] {
    if (path !== '' && whole.has(path)) return [path]
    const { properties, items } = schema
    if (items?.properties) return leaves(items, whole, `${path}[]`)
    if (!properties || Object.keys(properties).length === 0) return [path]
    return Object.entries(properties).flatMap(([name, child]) => leaves(child, whole, path ? `${path}.${name}` : name))
  }
  const spec = (schema: Structural) => ({ properties: { spec: schema.properties?.['spec'] ?? {} } }) as Structural

  it('names every field of an ExternalSecret', () => {
    const documented = firstCells(page, '## ExternalSecret fields')
    expect(sorted(leaves(spec(externalSecretSchema), new Set(documented)))).toEqual(sorted(documented))
  })

  it('names every field of a SecretStore of the provider vault', () => {
    const documented = firstCells(page, '## SecretStore fields')
    const all = leaves(spec(secretStoreSchema), new Set(documented))
    const other = (path: string) => path.startsWith('spec.provider.') && !path.startsWith('spec.provider.vault')
    expect(sorted(all.filter((path) => !other(path)))).toEqual(sorted(documented))
  })

  const storeRef = { name: 's', kind: 'SecretStore' }
  const item = { secretKey: 'a', remoteRef: { key: 'k' } }
  const parsed = (given: object): ExternalSecret => {
    const es = parseExternalSecret({
      apiVersion: 'external-secrets.io/v1',
      kind: 'ExternalSecret',
      metadata: { name: 'e', namespace: 'n' },
      spec: { secretStoreRef: storeRef, data: [item], ...given },
    })
    if (typeof es === 'string') throw new Error(es)
    return es
  }
  const generatorRef = { kind: 'Password', name: 'p' }
  const refused: Record<string, object> = {
    'spec.syncWindows': { syncWindows: {} },
    'spec.target.manifest': { target: { manifest: {} } },
    'spec.target.template': { target: { template: {} } },
    'spec.data[].sourceRef.generatorRef': { data: [{ ...item, sourceRef: { generatorRef } }] },
    'spec.dataFrom[].find': { dataFrom: [{ find: {} }] },
    'spec.dataFrom[].rewrite': { dataFrom: [{ extract: { key: 'k' }, rewrite: [{}] }] },
    'spec.dataFrom[].sourceRef.generatorRef': { dataFrom: [{ sourceRef: { generatorRef } }] },
  }

  it('says of an ExternalSecret what is refused', () => {
    const documented = rows(page, '## ExternalSecret fields').filter(([, state]) => state === 'refused')
    expect(sorted(documented.map(([name = '']) => name))).toEqual(sorted(Object.keys(refused)))
    for (const [name, given] of Object.entries(refused))
      expect(refusalOf(parsed(given)), name).toBe(
        `${name.replace('[]', '[0]')} is not supported by this version of Coffer`,
      )
    expect(refusalOf(parsed({}))).toBeUndefined()
  })

  it('says of values what is refused', () => {
    const cluster = { name: 's', kind: 'ClusterSecretStore' }
    const fetch = { key: 'k', metadataPolicy: 'Fetch' }
    expect(refusalOf(parsed({ secretStoreRef: cluster }))).toContain('ClusterSecretStore')
    expect(refusalOf(parsed({ data: [{ ...item, sourceRef: { storeRef: cluster } }] }))).toContain('ClusterSecretStore')
    expect(refusalOf(parsed({ data: [{ ...item, remoteRef: fetch }] }))).toContain('metadataPolicy Fetch')
    expect(refusalOf(parsed({ dataFrom: [{ extract: fetch }] }))).toContain('metadataPolicy Fetch')
  })

  it('says of a SecretStore what is refused', () => {
    const documented = rows(page, '## SecretStore fields').filter(([, state]) => state === 'refused')
    const prefix = 'spec.provider.vault.'
    for (const [name = ''] of documented) {
      const given = name.startsWith(`${prefix}auth.`)
        ? { auth: { [name.slice(`${prefix}auth.`.length)]: {} } }
        : { caProvider: { type: 'Secret', name: 'x', namespace: 'n' } }
      expect(() => parseVaultSpec({ server: 'https://x', ...given }, 'n'), name).toThrow(
        name.startsWith(`${prefix}auth.`) ? `${name} is not supported` : name.slice(prefix.length),
      )
    }
    const methods = Object.keys(
      secretStoreSchema.properties?.['spec']?.properties?.['provider']?.properties?.['vault']?.properties?.['auth']
        ?.properties ?? {},
    )
    const known = ['namespace', 'tokenSecretRef', 'kubernetes']
    expect(sorted(documented.map(([name = '']) => name).filter((name) => name.includes('.auth.')))).toEqual(
      sorted(methods.filter((method) => !known.includes(method)).map((method) => `${prefix}auth.${method}`)),
    )
  })
})
