import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { systemRandom } from '../lib/random.ts'
import { createCa, issueCertificate } from '../lib/x509/certificates.ts'
import { loadKubeConfig } from './kubeconfig.ts'

const clock = new FakeClock()
const files = (contents: Record<string, string>) => async (path: string) => {
  const text = contents[path]
  if (text === undefined) throw new Error(`ENOENT ${path}`)
  return text
}
const base64 = (text: string) => Buffer.from(text).toString('base64')
const config = (user: string, cluster = 'server: https://127.0.0.1:6443', context = '') => `
apiVersion: v1
kind: Config
current-context: dev
contexts: [{name: dev, context: {cluster: c, user: u${context}}}, {name: other, context: {cluster: c2, user: u}}]
clusters:
- {name: c2, cluster: {server: "https://two"}}
- name: c
  cluster:
    ${cluster}
users:
- name: u
  user:
    ${user}
`
const load = (text: string, more: Record<string, string> = {}, context?: string) =>
  loadKubeConfig({
    path: '/etc/k/config',
    env: { PATH: process.env['PATH'] },
    clock,
    readFile: files({ '/etc/k/config': text, ...more }),
    ...(context ? { context } : {}),
  })

describe('kubeconfig', () => {
  it('reads server, authority, namespace and token of the current context', async () => {
    const cluster = `server: https://127.0.0.1:6443\n    certificate-authority-data: ${base64('CA PEM')}`
    const loaded = await load(config('token: t0k', cluster, ', namespace: team'))
    expect(loaded).toMatchObject({ server: 'https://127.0.0.1:6443', caPem: 'CA PEM', namespace: 'team' })
    expect((await loaded.credentials.current()).headers).toEqual({ authorization: 'Bearer t0k' })
    expect((await load(config('token: t'), {}, 'other')).server).toBe('https://two')
  })

  it('reads files relative to its own folder', async () => {
    const loaded = await load(
      config(
        'client-certificate: u.crt\n    client-key: u.key',
        'server: https://x\n    certificate-authority: ca.crt',
      ),
      { '/etc/k/ca.crt': 'CA', '/etc/k/u.crt': 'CERT', '/etc/k/u.key': 'KEY' },
    )
    expect(loaded.caPem).toBe('CA')
    expect(await loaded.credentials.current()).toEqual({ headers: {}, certPem: 'CERT', keyPem: 'KEY' })
  })

  it('reads authorities and certificates again when they are replaced, and never half a pair', async () => {
    const ca = createCa({ commonName: 'ca', random: systemRandom, now: Date.now(), validForMs: 3_600_000 })
    const user = (commonName: string) =>
      issueCertificate(ca, { commonName, random: systemRandom, now: Date.now(), validForMs: 3_600_000, client: true })
    const [first, second] = [user('first'), user('second')]
    const contents: Record<string, string> = {
      '/etc/k/config': config(
        'client-certificate: u.crt\n    client-key: u.key\n    tokenFile: t',
        'server: https://x\n    certificate-authority: ca.crt',
      ),
      '/etc/k/ca.crt': 'CA',
      '/etc/k/u.crt': first.certPem,
      '/etc/k/u.key': first.keyPem,
      '/etc/k/t': 'token',
    }
    const readFile = (path: string) => files(contents)(path)
    const loaded = await loadKubeConfig({ path: '/etc/k/config', env: {}, clock, readFile })
    const headers = { authorization: 'Bearer token' }
    const identity = await loaded.credentials.current()
    expect(identity).toEqual({ headers, ...first })
    contents['/etc/k/u.crt'] = second.certPem
    contents['/etc/k/ca.crt'] = 'NEXT'
    await clock.advance(61_000)
    expect(await loaded.credentials.current()).toBe(identity)
    expect(await loaded.trust?.current()).toBe('NEXT')
    contents['/etc/k/u.key'] = second.keyPem
    expect(await loaded.credentials.current()).toEqual({ headers, ...second })
    // After a refusal, and after a failed connection, without waiting for the minute.
    Object.assign(contents, { '/etc/k/u.crt': first.certPem, '/etc/k/u.key': first.keyPem, '/etc/k/ca.crt': 'CA' })
    expect(loaded.credentials.refused(await loaded.credentials.current())).toBe(true)
    expect(await loaded.credentials.current()).toEqual({ headers, ...first })
    expect(await loaded.trust?.current()).toBe('NEXT')
    loaded.trust?.doubted()
    expect(await loaded.trust?.current()).toBe('CA')
  })

  it('merges the files of KUBECONFIG, the first that sets a value wins', async () => {
    const loaded = await loadKubeConfig({
      env: { KUBECONFIG: '/missing:/a:/b', KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' },
      clock,
      readFile: files({ '/a': 'current-context: dev\n', '/b': config('token: b').replace('dev', 'other') }),
    })
    expect(loaded.server).toBe('https://127.0.0.1:6443')
  })

  it('in a pod uses the service account, and reads its token again each minute and after a refusal', async () => {
    const dir = '/var/run/secrets/kubernetes.io/serviceaccount'
    const contents: Record<string, string> = {
      [`${dir}/ca.crt`]: 'CA',
      [`${dir}/namespace`]: 'ns',
      [`${dir}/token`]: 'one',
    }
    const loaded = await loadKubeConfig({
      env: { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' },
      clock,
      readFile: (path) => files(contents)(path),
    })
    expect(loaded).toMatchObject({ server: 'https://[fd00::1]:443', namespace: 'ns', caPem: 'CA' })
    const token = async () => (await loaded.credentials.current()).headers['authorization']
    expect(await token()).toBe('Bearer one')
    contents[`${dir}/token`] = 'two'
    expect(await token()).toBe('Bearer one')
    await clock.advance(61_000)
    expect(await token()).toBe('Bearer two')
    contents[`${dir}/token`] = 'three'
    expect(loaded.credentials.refused(await loaded.credentials.current())).toBe(true)
    expect(await token()).toBe('Bearer three')
    delete contents[`${dir}/token`]
    await clock.advance(61_000)
    expect(await token()).toBe('Bearer three')
  })

  it.each([
    [
      'insecure-skip-tls-verify is refused',
      config('token: t', 'server: https://x\n    insecure-skip-tls-verify: true'),
    ],
    ['users.user.auth-provider is not supported', config('auth-provider: {name: gcp}')],
    ['client-certificate and client-key belong together', config('client-certificate-data: eA==')],
    ['the cluster has no server', config('token: t', 'proxy: x')],
    ['is not valid YAML', 'a: [canary'],
    ['no current-context', 'apiVersion: v1'],
    ['contexts has no entry named "x"', 'current-context: x'],
  ])('says: %s', async (message, text) => {
    const error = await load(text).catch((e: unknown) => String(e))
    expect(error).toContain(message)
    expect(error).not.toContain('canary')
  })
})

describe('exec plugins', () => {
  // Counts its runs in its own environment's file: each run gives another token.
  const plugin = (script: string) => `exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ${JSON.stringify(process.execPath)}
      args: [-e, ${JSON.stringify(script)}]
      installHint: get it from the shop
      provideClusterInfo: true
      env: [{name: EXTRA, value: more}]`
  const credential = (status: string) =>
    `const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO); console.log(JSON.stringify({kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status: ${status}}))`

  it('runs the command with what it was promised and keeps the token until it expires', async () => {
    const at = new Date(clock.now() + 60_000).toISOString()
    const script = credential(
      `{token: process.env.EXTRA + '-' + info.spec.cluster.server + '-' + process.pid, expirationTimestamp: '${at}'}`,
    )
    const loaded = await load(config(plugin(script)))
    const first = await loaded.credentials.current()
    expect(first.headers['authorization']).toMatch(/^Bearer more-https:\/\/127.0.0.1:6443-\d+$/)
    expect(await loaded.credentials.current()).toBe(first)
    await clock.advance(55_000)
    expect((await loaded.credentials.current()).headers).not.toEqual(first.headers)
  })

  it.each([
    ['ended with 3', 'console.error("canary"); process.exit(3)'],
    ['its output is no JSON', 'console.log("canary")'],
    ['neither a token nor a certificate', credential('{}')],
  ])('says "%s" and repeats no output', async (message, script) => {
    const loaded = await load(config(plugin(script)))
    const error = await Promise.resolve(loaded.credentials.current()).catch((e: unknown) => String(e))
    expect(error).toContain(message)
    expect(error).not.toContain('canary')
  })

  it('says where to get a command that is missing', async () => {
    const loaded = await load(config(plugin('').replace(JSON.stringify(process.execPath), 'no-such-command-xyz')))
    await expect(loaded.credentials.current()).rejects.toThrow('not found. get it from the shop')
  })
})
