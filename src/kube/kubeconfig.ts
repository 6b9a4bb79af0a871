/** Where the API server is and who we are: kubeconfig files (kubectl's format) and the service account of a pod. */
import { dirname, resolve } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { certificateFiles, trustFile } from './credentials/certificate-files.ts'
import {
  bearer,
  bothIdentities,
  type CredentialSource,
  fixedIdentity,
  type TrustSource,
} from './credentials/credential-source.ts'
import { type ExecPlugin, execPlugin } from './credentials/exec-plugin.ts'
import { tokenFile } from './credentials/token-file.ts'

export interface KubeConfig {
  readonly server: string
  /** The name of the context that was used; absent in a pod. */
  readonly context?: string
  /** As it was when this was loaded. */
  readonly caPem?: string
  /** Present when `caPem` came from a file: as it is now. */
  readonly trust?: TrustSource
  readonly serverName?: string
  /** The namespace of the context; "default" when it names none. */
  readonly namespace: string
  readonly credentials: CredentialSource
}
export interface KubeConfigSource {
  /** A kubeconfig file. Absent: KUBECONFIG, then the pod's service account, then ~/.kube/config. */
  readonly path?: string
  /** Absent: the file's current-context. */
  readonly context?: string
  readonly inCluster?: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly readFile: (path: string) => Promise<string>
}

const serviceAccountDir = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Throws with what to set when there is no configuration or when it asks for something that we refuse. */
export async function loadKubeConfig(source: KubeConfigSource): Promise<KubeConfig> {
  if (source.inCluster) return inClusterConfig(source)
  if (source.path) return fileConfig(source, [source.path])
  const listed = (source.env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '')
  if (listed.length > 0) return fileConfig(source, listed)
  if (source.env['KUBERNETES_SERVICE_HOST']) return inClusterConfig(source)
  const home = source.env['HOME']
  if (home) return fileConfig(source, [`${home}/.kube/config`])
  throw new Error('no Kubernetes configuration: give --kubeconfig, or set KUBECONFIG')
}

async function inClusterConfig(source: KubeConfigSource): Promise<KubeConfig> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = source.env
  if (!host || !port) throw new Error('not in a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set')
  const trust = trustFile({ ...source, path: `${serviceAccountDir}/ca.crt` })
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ...optional('caPem', await trust.current()),
    trust,
    namespace: (await source.readFile(`${serviceAccountDir}/namespace`).catch(() => 'default')).trim(),
    credentials: tokenFile({ ...source, path: `${serviceAccountDir}/token` }),
  }
}

type Fields = Readonly<Record<string, unknown>>
interface Loaded {
  /** Relative paths in a kubeconfig count from its own folder. */
  readonly dir: string
  readonly document: Fields
}

async function fileConfig(source: KubeConfigSource, paths: readonly string[]): Promise<KubeConfig> {
  const files: Loaded[] = []
  for (const path of paths) {
    const document = await readYaml(source, path)
    if (document) files.push({ dir: dirname(resolve(path)), document })
    // kubectl skips missing files of a list; the only one must exist.
    else if (paths.length === 1) throw new Error(`kubeconfig: cannot read ${path}`)
  }
  // The first file that sets a value or a name wins.
  const contextName =
    source.context ?? files.map((f) => text(f.document['current-context'])).find((name) => name !== undefined)
  if (!contextName) throw new Error(`kubeconfig ${paths.join(':')}: no current-context`)
  const context = named(files, 'contexts', 'context', contextName).fields
  const cluster = named(files, 'clusters', 'cluster', required(context, 'cluster', `context ${contextName}`))
  const userName = text(context['user'])
  const user = userName ? named(files, 'users', 'user', userName) : undefined
  const server = required(cluster.fields, 'server', 'the cluster')
  if (cluster.fields['insecure-skip-tls-verify'] === true) {
    throw new Error('kubeconfig: insecure-skip-tls-verify is refused: give certificate-authority or its data')
  }
  if (cluster.fields['proxy-url']) throw new Error('kubeconfig: proxy-url is not supported')
  const { trust, caPem } = await authoritiesOf(source, cluster)
  return {
    server,
    context: contextName,
    ...optional('caPem', caPem),
    ...(trust ? { trust } : {}),
    ...optional('serverName', text(cluster.fields['tls-server-name'])),
    namespace: text(context['namespace']) ?? 'default',
    credentials: await credentialsOf(source, user, { server, caPem }),
  }
}

async function readYaml(source: KubeConfigSource, path: string): Promise<Fields | undefined> {
  let content: string
  try {
    content = await source.readFile(path)
  } catch {
    return undefined
  }
  const { parse } = await import('yaml')
  try {
    return fields(parse(content, { version: '1.1', maxAliasCount: 100 }))
  } catch {
    // The parser's message quotes the line, which may hold a token.
    throw new Error(`kubeconfig ${path}: is not valid YAML`)
  }
}

interface Entry {
  readonly dir: string
  readonly fields: Fields
}

function named(files: readonly Loaded[], list: string, member: string, name: string): Entry {
  for (const file of files) {
    const entries = file.document[list]
    const found = Array.isArray(entries) ? entries.map(fields).find((entry) => entry['name'] === name) : undefined
    if (found) return { dir: file.dir, fields: fields(found[member]) }
  }
  throw new Error(`kubeconfig: ${list} has no entry named ${JSON.stringify(name)}`)
}

async function credentialsOf(
  source: KubeConfigSource,
  user: Entry | undefined,
  cluster: { server: string; caPem: string | undefined },
): Promise<CredentialSource> {
  if (!user) return fixedIdentity(nobody)
  for (const member of ['auth-provider', 'as', 'as-groups', 'as-uid', 'as-user-extra']) {
    if (user.fields[member] !== undefined) throw new Error(`kubeconfig: users.user.${member} is not supported`)
  }
  if (user.fields['exec'] !== undefined) return execPlugin(pluginOf(source, user, cluster), source.clock)
  const certificate = await certificateOf(source, user)
  const headers = headersOf(source, user)
  return certificate && headers
    ? bothIdentities(headers, certificate)
    : (certificate ?? headers ?? fixedIdentity(nobody))
}

const nobody = { headers: {} }

function headersOf(source: KubeConfigSource, user: Entry): CredentialSource | undefined {
  // As in client-go: a token file goes before a token.
  const path = text(user.fields['tokenFile'])
  if (path) return tokenFile({ ...source, path: resolve(user.dir, path) })
  const token = text(user.fields['token'])
  if (token) return fixedIdentity({ headers: bearer(token) })
  const { username, password } = user.fields
  if (typeof username !== 'string' || typeof password !== 'string') return undefined
  const basic = Buffer.from(`${username}:${password}`).toString('base64')
  return fixedIdentity({ headers: { authorization: `Basic ${basic}` } })
}

async function certificateOf(source: KubeConfigSource, user: Entry): Promise<CredentialSource | undefined> {
  const certificate = pemOf(user, 'client-certificate')
  const key = pemOf(user, 'client-key')
  if (!certificate && !key) return undefined
  if (!certificate || !key) throw new Error('kubeconfig: client-certificate and client-key belong together')
  if (certificate.path && key.path) {
    const files = certificateFiles({ ...source, path: certificate.path, keyPath: key.path })
    await files.current()
    return files
  }
  const [certPem, keyPem] = await Promise.all([certificate, key].map((pem) => pem.data ?? source.readFile(pem.path)))
  return fixedIdentity({ headers: {}, ...(certPem && keyPem ? { certPem, keyPem } : {}) })
}

async function authoritiesOf(source: KubeConfigSource, cluster: Entry) {
  const authority = pemOf(cluster, 'certificate-authority')
  if (authority?.path === undefined) return { trust: undefined, caPem: authority?.data }
  const trust = trustFile({ ...source, path: authority.path })
  return { trust, caPem: await trust.current() }
}

function pluginOf(
  source: KubeConfigSource,
  user: Entry,
  cluster: { server: string; caPem: string | undefined },
): ExecPlugin {
  const exec = fields(user.fields['exec'])
  const command = required(exec, 'command', 'users.user.exec')
  const env = Array.isArray(exec['env']) ? exec['env'].map(fields) : []
  const caData = cluster.caPem ? Buffer.from(cluster.caPem).toString('base64') : undefined
  return {
    apiVersion: required(exec, 'apiVersion', 'users.user.exec'),
    // A name without a slash is looked up on PATH; a relative path counts from the file.
    command: command.includes('/') ? resolve(user.dir, command) : command,
    args: Array.isArray(exec['args']) ? exec['args'].map(String) : [],
    env: Object.fromEntries(env.map((entry) => [String(entry['name']), String(entry['value'])])),
    inheritedEnv: source.env,
    ...optional('installHint', text(exec['installHint'])),
    ...(exec['provideClusterInfo'] === true
      ? { cluster: { server: cluster.server, ...(caData ? { 'certificate-authority-data': caData } : {}) } }
      : {}),
  }
}

type Pem = { readonly data: string; readonly path?: undefined } | { readonly path: string; readonly data?: undefined }

/** `<name>-data` (base64) goes before the file `<name>`. */
function pemOf(entry: Entry, name: string): Pem | undefined {
  const data = text(entry.fields[`${name}-data`])
  if (data) return { data: Buffer.from(data, 'base64').toString('utf8') }
  const path = text(entry.fields[name])
  return path ? { path: resolve(entry.dir, path) } : undefined
}

function required(from: Fields, name: string, of: string): string {
  const value = text(from[name])
  if (value === undefined) throw new Error(`kubeconfig: ${of} has no ${name}`)
  return value
}

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
const optional = <K extends string>(name: K, value: string | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { [name in K]?: string }
