/** Each manifest below examples/ is one that the cluster takes, and the rights that we ask for are enough. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { customResourceDefinitions } from '../src/controller/crds/definitions.ts'
import { externalSecrets, parseExternalSecret } from '../src/controller/crds/external-secret.ts'
import { FakeVault } from '../src/controller/providers/vault/fake-vault.ts'
import { vaultProvider } from '../src/controller/providers/vault/vault-provider.ts'
import { runController } from '../src/controller/run-controller.ts'
import { ApiServer } from '../src/devcluster/api/api-server.ts'
import { keepRegistered } from '../src/injector/tls/webhook-registration.ts'
import type { KubeClient } from '../src/kube/client.ts'
import { createInProcessClient } from '../src/kube/in-process-client.ts'
import {
  configMaps,
  customResourceDefinitions as definitionType,
  mutatingWebhookConfigurations,
  type Secret,
  secrets,
  serviceAccounts,
  type TokenRequest,
} from '../src/kube/object-types.ts'
import { FakeClock } from '../src/lib/fake-clock.ts'
import { type LogFields, silentLog } from '../src/lib/log.ts'
import { systemRandom } from '../src/lib/random.ts'
import { createCa } from '../src/lib/x509/certificates.ts'
import { applyManifest } from '../src/programs/dev/apply.ts'

const folder = join(import.meta.dirname, '..', 'examples')
const all = (ending: string, below: string) =>
  readdirSync(below, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(ending))
const manifests = all('.yaml', folder)
const example = (name: string) =>
  readFileSync(join(folder, name), 'utf8')
    .replace('${VAULT_ADDR}', 'https://127.0.0.1:8200')
    .replace('${CA_BUNDLE}', Buffer.from('a certificate').toString('base64'))

let clock: FakeClock
let cluster: ApiServer
let kube: KubeClient
const clientOf = (token: string) =>
  createInProcessClient((request) => cluster.handle(request), {
    clock,
    random: systemRandom,
    log: silentLog,
    headers: { authorization: `Bearer ${token}` },
  })

beforeEach(async () => {
  clock = new FakeClock()
  cluster = new ApiServer({ clock, random: systemRandom, caPem: 'no certificate', adminToken: 'admin' })
  kube = clientOf('admin')
  for (const definition of customResourceDefinitions()) await kube.create(definitionType, definition)
})
afterEach(() => cluster.close())

describe('the examples', () => {
  /** The mission's own Deployment lacks what every API server requires; the demo shows it. */
  const refused = new Map([
    ['seed/deployment.yaml', 'Deployment.apps "my-app" is invalid: [spec.selector: Required value'],
  ])

  it.each(manifests)('%s', async (name) => {
    const applying = applyManifest({ kube }, example(name))
    const words = refused.get(name)
    if (words === undefined) await expect(applying).resolves.toBeUndefined()
    else await expect(applying).rejects.toThrow(words)
  })

  it('are where the documents take their YAML from', () => {
    const texts = manifests.map((name) => readFileSync(join(folder, name), 'utf8'))
    const docs = join(folder, '..', 'docs')
    for (const page of all('.md', docs)) {
      const blocks = [...readFileSync(join(docs, page), 'utf8').matchAll(/```ya?ml\n([\s\S]*?)```/g)]
      for (const [, block = ''] of blocks)
        expect(
          texts.some((text) => text.includes(block)),
          `${page}: ${block.slice(0, 80)}`,
        ).toBe(true)
    }
  })

  it('have no key that is written twice', () => {
    for (const name of manifests)
      for (const document of parseAllDocuments(example(name))) expect(document.errors, name).toEqual([])
  })
})

async function tokenOf(namespace: string, name: string): Promise<string> {
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: {},
    spec: { audiences: [] },
  }
  const answer = await kube.post<TokenRequest>(serviceAccounts, { namespace, name }, 'token', request)
  return answer.status?.token ?? ''
}

async function until<T>(what: string, look: () => Promise<T | undefined | false>, lines: readonly string[] = []) {
  for (let turns = 0; turns < 1000; turns += 1) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    await clock.advance(turns % 20 === 19 ? 1000 : 0)
  }
  throw new Error(`waited in vain for ${what}\n${lines.join('\n')}`)
}

describe('the rights in examples/cluster', () => {
  it('are enough for the controller: a Secret appears, and goes with its ExternalSecret', async () => {
    for (const name of ['controller-rbac', 'token-review', 'secret-store'])
      await applyManifest({ kube }, example(`cluster/${name}.yaml`))
    const ca = createCa({ commonName: 'ca', random: systemRandom, now: Date.now(), validForMs: 86_400_000 })
    await kube.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'coffer-ca', namespace: 'default' },
      data: { 'ca.crt': ca.certPem },
    })
    const vault = new FakeVault()
    vault.put('my-app/config', '{"username":"me"}')
    const lines: string[] = []
    const note = (event: string, fields?: LogFields) => void lines.push(`${event} ${JSON.stringify(fields ?? {})}`)
    const log = { ...silentLog, warn: note, error: note, with: () => log }
    const stop = new AbortController()
    const done = runController(
      {
        client: clientOf(await tokenOf('coffer', 'coffer-controller')),
        providers: [vaultProvider({ dial: () => vault })],
        ownToken: async () => undefined,
        controllerClass: 'default',
        concurrency: 2,
        storeRequeueIntervalMs: 300_000,
        clock,
        random: systemRandom,
        log,
      },
      stop.signal,
    )
    try {
      await applyManifest({ kube }, example('cluster/external-secret.yaml'))
      const target = { namespace: 'default', name: 'my-app' }
      const made = await until('the Secret', () => kube.get<Secret>(secrets, target), lines)
      expect(made.data).toEqual({ username: Buffer.from('me').toString('base64') })
      await until(
        'Ready',
        async () => {
          const es = await kube.get(externalSecrets, target)
          const parsed = es && parseExternalSecret(es)
          return (
            typeof parsed === 'object' &&
            parsed.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True')
          )
        },
        lines,
      )
      await kube.delete(externalSecrets, target)
      await until(
        'the ExternalSecret to go',
        async () => (await kube.get(externalSecrets, target)) === undefined,
        lines,
      )
    } finally {
      stop.abort(new Error('stopped'))
      await done
    }
    expect(lines.filter((line) => line.includes('forbidden'))).toEqual([])
  })

  it('are enough for the injector to put its CA into the webhook configuration', async () => {
    await applyManifest({ kube }, example('cluster/injector.yaml'))
    const client = clientOf(await tokenOf('coffer', 'coffer-injector'))
    const ca = createCa({ commonName: 'ca', random: systemRandom, now: clock.now(), validForMs: 86_400_000 })
    const stop = new AbortController()
    let registered = false
    const done = keepRegistered(
      {
        kube: client,
        name: 'coffer-injector',
        caPem: ca.certPem,
        clock,
        log: silentLog,
        onState: (now) => {
          registered = now
        },
      },
      stop.signal,
    )
    try {
      await until('the registration', async () => registered)
      const found = await kube.get(mutatingWebhookConfigurations, { name: 'coffer-injector' })
      expect(Buffer.from(found?.webhooks?.[0]?.clientConfig.caBundle ?? '', 'base64').toString()).toContain(
        ca.certPem.trim(),
      )
    } finally {
      stop.abort(new Error('stopped'))
      await done.catch(() => undefined)
    }
  })
})
