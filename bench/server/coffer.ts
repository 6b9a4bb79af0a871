/** A `coffer server` as people run it, from the build, in processes of its own: file audit on, TLS off. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { startProgram, stopProgram, treeOf } from './processes.ts'

export const root = resolve(import.meta.dirname, '../..')

export interface CofferOptions {
  /** A folder of its own, made if absent. */
  readonly folder: string
  /** Absent: LMDB in the folder. */
  readonly postgres?: string
  readonly workers?: number
  /** Where else audit files may lie: where another node's are. */
  readonly auditIn?: string
  /** Further stanzas. */
  readonly stanzas?: string
}

export interface Coffer {
  readonly url: string
  /** All processes of it, at the moment. */
  pids(): number[]
  /** The answer's text; throws on 400 and more. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<string>
  stop(): Promise<void>
}

/** From its start to the moment at which it accepts connections. */
export async function startCoffer(options: CofferOptions): Promise<Coffer> {
  const { folder, workers = 1 } = options
  for (const name of ['data', 'audit', 'home']) mkdirSync(join(folder, name), { recursive: true })
  const config = join(folder, 'server.hcl')
  const storage = options.postgres
    ? `storage "postgresql" {\n  connection_url = "${options.postgres}"\n}`
    : `storage "lmdb" {\n  path = "${folder}/data"\n}`
  const port = workers > 1 ? await freePort() : 0
  writeFileSync(
    config,
    `listener "tcp" {\n  address = "127.0.0.1:${port}"\n  tls_disable = true\n}\n${storage}\nworkers = ${workers}\naudit_file_directories = ${JSON.stringify([`${folder}/audit`, ...(options.auditIn ? [options.auditIn] : [])])}\n${options.stanzas ?? ''}\n`,
    // A PostgreSQL URL may have a password.
    { mode: 0o600 },
  )
  const { child, pid, said } = await startProgram({
    what: 'the server',
    command: [join(root, 'bin/coffer'), 'server', `-config=${config}`],
    env: { HOME: join(folder, 'home'), COFFER_SUPERVISED: '1', VAULT_LOG_LEVEL: 'error' },
    ready: addressIn,
  })
  const url = said.startsWith('http') ? said : `http://${said}`
  return {
    url,
    pids: () => treeOf(pid),
    async call(method, path, body, token) {
      const answer = await fetch(`${url}/v1/${path}`, {
        method,
        headers: token ? { 'X-Vault-Token': token } : {},
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await answer.text()
      if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
      return text
    },
    stop: () => stopProgram(child),
  }
}

function addressIn(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  if (!('type' in message) || message.type !== 'ready' || !('address' in message)) return undefined
  return String(message.address)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise((done) => server.close(done))
  return typeof address === 'object' && address ? address.port : 0
}

export interface Opened {
  readonly rootToken: string
  readonly key: string
}

/** Initialises, unseals and turns the audit on. */
export async function open(coffer: Coffer, folder: string): Promise<Opened> {
  const made: { keys: string[]; root_token: string } = JSON.parse(
    await coffer.call('PUT', 'sys/init', { secret_shares: 1, secret_threshold: 1 }),
  )
  const opened = { rootToken: made.root_token, key: made.keys[0] ?? '' }
  await unseal(coffer, opened)
  await audit(coffer, opened.rootToken, folder)
  return opened
}

export async function unseal(coffer: Coffer, { key }: Opened): Promise<void> {
  await coffer.call('PUT', 'sys/unseal', { key })
}

export async function audit(coffer: Coffer, token: string, folder: string): Promise<void> {
  const options = { file_path: join(folder, 'audit/audit.log') }
  await coffer.call('PUT', 'sys/audit/file', { type: 'file', options }, token)
}

/** What an application has: no root token, a policy of a few rules, a life of its own. */
export async function applicationToken(coffer: Coffer, rootToken: string): Promise<string> {
  const rules = ['data', 'metadata', 'delete'].map(
    (part) => `path "secret/${part}/*" { capabilities = ["create", "read", "update", "delete", "list"] }`,
  )
  const policy = [...rules, 'path "sys/tools/hash" { capabilities = ["update"] }'].join('\n')
  await coffer.call('PUT', 'sys/policies/acl/bench', { policy }, rootToken)
  const made: { auth: { client_token: string } } = JSON.parse(
    await coffer.call('POST', 'auth/token/create', { policies: ['bench'], ttl: '24h' }, rootToken),
  )
  return made.auth.client_token
}
