/** Credentials that expire and are replaced under a client that goes on: files, exec plugins, a watch in mid-life. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KubeConfigSource, loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { secrets } from '../../src/kube/object-types.ts'
import { Author, CountingClock, caughtUp, expectFaithful, inform, openSubject } from './client-faults-subject.ts'
import { type Cluster, eventually, openCluster } from './cluster.ts'
import type { FaultProxy } from './fault-proxy.ts'

let cluster: Cluster
let dir: string
let namespace: string
let author: Author
beforeAll(async () => {
  cluster = await openCluster()
  dir = await mkdtemp(join(tmpdir(), 'coffer-credentials-'))
  namespace = await cluster.namespace()
  author = new Author(cluster, namespace)
  await author.create('a')
})
afterAll(async () => {
  await cluster.close()
  await rm(dir, { recursive: true, force: true })
})

/** Only these tokens are let in. */
function guard(proxy: FaultProxy, ...tokens: string[]): Set<string> {
  const good = new Set(tokens)
  proxy.fault = ({ authorization }) =>
    good.has(authorization?.replace('Bearer ', '') ?? '') ? undefined : { do: 'answer', status: 401 }
  return good
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount/'
/** In a pod whose service account's files are in `dir`. */
async function inPod(clock: CountingClock) {
  await writeFile(join(dir, 'ca.crt'), cluster.ca.certPem)
  await writeFile(join(dir, 'token'), 'first\n')
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' }
  const path = (name: string) => (name.startsWith(serviceAccount) ? join(dir, name.slice(serviceAccount.length)) : name)
  return loadKubeConfig({ inCluster: true, env, clock, readFile: (name) => readFile(path(name), 'utf8') })
}

async function withUser(user: object, clock: CountingClock) {
  const path = join(dir, `kubeconfig-${Math.random()}`)
  const document = {
    'current-context': 'x',
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user }],
  }
  await writeFile(path, JSON.stringify(document))
  const source: KubeConfigSource = {
    path,
    env: { PATH: process.env['PATH'] },
    clock,
    readFile: (p) => readFile(p, 'utf8'),
  }
  return loadKubeConfig(source)
}

/** A command that says the token which its file holds, and counts its runs. */
async function plugin(name: string, more: object = {}) {
  const [script, token, runs] = ['js', 'token', 'runs'].map((end) => join(dir, `${name}.${end}`)) as [
    string,
    string,
    string,
  ]
  const status = JSON.stringify(more).slice(1, -1)
  await writeFile(
    script,
    `const fs = require('node:fs'); fs.appendFileSync(${JSON.stringify(runs)}, 'x')
     const token = fs.readFileSync(${JSON.stringify(token)}, 'utf8')
     console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status: { token${status ? `, ${status}` : ''} } }))`,
  )
  await writeFile(token, 'first')
  await writeFile(runs, '')
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [script] }
  return {
    exec,
    say: (text: string) => writeFile(token, text),
    runs: async () => (await readFile(runs, 'utf8')).length,
  }
}

const ref = () => ({ namespace, name: 'a' })
const tokensOf = (proxy: FaultProxy) => proxy.seen.map((request) => request.authorization?.replace('Bearer ', ''))

describe('a service account', () => {
  it('is read again before its token expires', async () => {
    const clock = new CountingClock()
    const { credentials } = await inPod(clock)
    const { client, proxy } = await openSubject(cluster, { credentials })
    guard(proxy, 'first', 'second')
    await client.get(secrets, ref())
    await writeFile(join(dir, 'token'), 'second\n')
    await client.get(secrets, ref())
    // The kubelet replaces a token at 80 % of its life, which is ten minutes at least: two minutes are left.
    clock.skip(61_000)
    await client.get(secrets, ref())
    expect(tokensOf(proxy)).toEqual(['first', 'first', 'second'])
  })

  it('is read again after 401, once, and the request sent again only with another token', async () => {
    const clock = new CountingClock()
    const { credentials } = await inPod(clock)
    const { client, proxy } = await openSubject(cluster, { credentials })
    const good = guard(proxy, 'first')
    await client.get(secrets, ref())
    good.clear()
    await expect(client.get(secrets, ref())).rejects.toMatchObject({ status: 401, reason: 'Unauthorized' })
    await expect(client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: ref() })).rejects.toThrow('401')
    expect(tokensOf(proxy)).toEqual(['first', 'first', 'first'])
    await writeFile(join(dir, 'token'), 'second\n')
    await expect(client.get(secrets, ref())).rejects.toMatchObject({ status: 401 })
    good.add('third')
    await writeFile(join(dir, 'token'), 'third\n')
    // Many at once: each is refused once at most.
    await Promise.all(Array.from({ length: 8 }, () => client.get(secrets, ref())))
    expect(
      tokensOf(proxy)
        .slice(3)
        .filter((token) => token !== 'third').length,
    ).toBeLessThanOrEqual(2 + 8)
    expect(tokensOf(proxy).filter((token) => token === 'third').length).toBe(8)
  })

  it('that is refused ends no watch for good: it goes on when the token has been replaced', async () => {
    const clock = new CountingClock()
    const { credentials } = await inPod(clock)
    const subject = await openSubject(cluster, { credentials })
    const { proxy } = subject
    const good = guard(proxy, 'first')
    const informed = inform(subject, namespace)
    const told = new Author(cluster, namespace)
    await eventually(() => informed.informer.hasSynced)
    good.clear()
    proxy.cut()
    const from = proxy.watches.length
    await told.create('during')
    await eventually(() => proxy.watches.length >= from + 3, 20_000)
    good.add('second')
    await writeFile(join(dir, 'token'), 'second\n')
    await caughtUp(informed, told)
    expectFaithful(informed, told, 'no gaps')
    await told.remove('during')
    await caughtUp(informed, told)
  })
})

describe('a kubeconfig', () => {
  it('with tokenFile reads the file again after 401', async () => {
    const file = join(dir, 'user.token')
    await writeFile(file, 'first')
    const { credentials } = await withUser({ tokenFile: 'user.token', token: 'unused' }, new CountingClock())
    const { client, proxy } = await openSubject(cluster, { credentials })
    const good = guard(proxy, 'first')
    await client.get(secrets, ref())
    good.clear()
    good.add('second')
    await writeFile(file, 'second')
    await client.get(secrets, ref())
    expect(tokensOf(proxy)).toEqual(['first', 'first', 'second'])
  })

  it('with an exec plugin runs it again when its token expires', async () => {
    const clock = new CountingClock()
    const expirationTimestamp = new Date(Date.now() + 120_000).toISOString()
    const { exec, say, runs } = await plugin('expiring', { expirationTimestamp })
    const { credentials } = await withUser({ exec }, clock)
    const { client, proxy } = await openSubject(cluster, { credentials })
    guard(proxy, 'first', 'second')
    await Promise.all([client.get(secrets, ref()), client.get(secrets, ref())])
    await say('second')
    await client.get(secrets, ref())
    clock.skip(115_000)
    await client.get(secrets, ref())
    expect(tokensOf(proxy)).toEqual(['first', 'first', 'first', 'second'])
    expect(await runs()).toBe(2)
  })

  it('with an exec plugin runs it again after 401, and not for each request that is refused', async () => {
    const clock = new CountingClock()
    const { exec, say, runs } = await plugin('refused')
    const { credentials } = await withUser({ exec }, clock)
    const { client, proxy } = await openSubject(cluster, { credentials })
    const good = guard(proxy, 'first')
    await client.get(secrets, ref())
    good.clear()
    clock.skip(20_000)
    for (let i = 0; i < 6; i += 1) await expect(client.get(secrets, ref())).rejects.toMatchObject({ status: 401 })
    expect(await runs()).toBe(2)
    expect(proxy.seen.length).toBe(7)
    good.add('second')
    await say('second')
    clock.skip(20_000)
    await client.get(secrets, ref())
    expect(await runs()).toBe(3)
  })
})
