import { parseHcl } from '../../lib/hcl/parse.ts'
import { HclError, type HclObject } from '../../lib/hcl/tree.ts'
import { pemText } from '../../lib/pem-text.ts'
import type { Env } from '../../lib/setting.ts'
import type {
  AgentConfig,
  FileSinkConfig,
  KubernetesMethod,
  ListenerConfig,
  LogLevel,
  ServerConfig,
} from './agent-config.ts'
import { settingDuration, settingFlag, settingNumber, settingText } from './environment.ts'
import { ConfigError, Section } from './section.ts'
import { readTemplate, readTemplating } from './templates.ts'

export interface ConfigFile {
  readonly path: string
  readonly text: string
}
export interface ConfigFlags {
  readonly exitAfterAuth?: boolean
  readonly logLevel?: string
  readonly logFormat?: string
}

/** Files (HCL or JSON; of repeated settings the last counts, lists add up), then the environment, then flags. Throws ConfigError. */
export function readConfig(files: readonly ConfigFile[], env: Env, flags: ConfigFlags = {}): AgentConfig {
  const top = new Section('', { items: files.flatMap((file) => parseFile(file).items) })
  const autoAuth = top.section('auto_auth')
  if (!autoAuth) throw new ConfigError('"auto_auth" is missing: coffer agent needs a method to log in with')
  const method = readMethod(autoAuth)
  const sinks = autoAuth.sections('sink').map(({ label, section }) => readSink(label, section))
  autoAuth.end(['enable_reauth_on_new_credentials'])
  const pidFile = top.text('pid_file')
  const server = readServer(top.section('vault') ?? new Section('vault.', { items: [] }), env)
  const namespace = method.namespace ?? server.namespace
  const config: AgentConfig = {
    method,
    sinks,
    exitAfterAuth: flags.exitAfterAuth ?? top.flag('exit_after_auth') ?? false,
    ...(pidFile ? { pidFile } : {}),
    server: { ...server, ...(namespace ? { namespace } : {}) },
    templates: top.sections('template').map(({ section }) => readTemplate(section)),
    templating: readTemplating(top.section('template_config')),
    listeners: top.sections('listener').map(({ label, section }) => readListener(label, section)),
    logLevel: readLevel(flags.logLevel ?? settingText(env, 'LOG_LEVEL') ?? top.text('log_level')),
    logFormat: readFormat(flags.logFormat ?? settingText(env, 'LOG_FORMAT') ?? top.text('log_format')),
  }
  refuseCache(top)
  askAlways(top)
  top.end(notHere)
  return config
}

const notHere = [
  'api_proxy',
  'cache',
  'disable_idle_connections',
  'disable_keep_alives',
  'disable_idle_conns_caching',
  'disable_keep_alives_caching',
  'env_template',
  'exec',
  'log_file',
  'log_rotate_bytes',
  'log_rotate_duration',
  'log_rotate_max_files',
  'telemetry',
]

/** Keys that a flag or the environment may have answered are accepted all the same. */
function askAlways(top: Section) {
  top.flag('exit_after_auth')
  top.text('log_level')
  top.text('log_format')
}

function parseFile(file: ConfigFile): HclObject {
  try {
    return parseHcl(file.text)
  } catch (error) {
    if (error instanceof HclError) throw new ConfigError(`${file.path}: ${error.message}`)
    throw error
  }
}

function readMethod(autoAuth: Section): KubernetesMethod {
  const [found, ...others] = autoAuth.sections('method')
  if (!found) throw new ConfigError('"auto_auth.method" is missing')
  if (others.length > 0) throw new ConfigError('"auto_auth" takes exactly one "method"')
  const { section, label } = found
  const type = section.text('type') ?? label
  if (type !== 'kubernetes') throw section.problem('type', 'must be "kubernetes": no other method is implemented')
  const config = section.section('config')
  const role = config?.text('role')
  if (!config || !role) throw section.problem('config.role', 'is missing: the role to log in with')
  const namespace = section.text('namespace')
  const method: KubernetesMethod = {
    type,
    mountPath: (section.text('mount_path') || 'auth/kubernetes').replace(/^\/+|\/+$/g, ''),
    ...(namespace ? { namespace } : {}),
    role,
    tokenPath: config.text('token_path') || '/var/run/secrets/kubernetes.io/serviceaccount/token',
    minBackoffMs: section.duration('min_backoff') || 1000,
    maxBackoffMs: section.duration('max_backoff') || 300_000,
    exitOnErr: section.flag('exit_on_err') ?? false,
  }
  if (method.minBackoffMs > method.maxBackoffMs) throw section.problem('min_backoff', 'is longer than max_backoff')
  config.end()
  section.end(['wrap_ttl'])
  return method
}

function readSink(label: string | undefined, section: Section): FileSinkConfig {
  const type = section.text('type') ?? label
  if (type !== 'file') throw section.problem('type', 'must be "file"')
  const config = section.section('config')
  const path = config?.text('path')
  if (!config || !path) throw section.problem('config.path', 'is missing: the file to write the token to')
  const mode = config.mode('mode') ?? 0o640
  config.end(['owner', 'uid', 'gid'])
  section.end(['wrap_ttl', 'dh_type', 'dh_path', 'derive_key', 'aad', 'aad_env_var'])
  return { path, mode }
}

function readServer(vault: Section, env: Env): ServerConfig {
  const retry = vault.section('retry')
  const retries = settingNumber(env, 'MAX_RETRIES') ?? vaultRetries(retry?.number('num_retries'))
  retry?.end()
  const caCertBytes = settingText(env, 'CACERT_BYTES')
  const optional = {
    caCert: settingText(env, 'CACERT') ?? vault.text('ca_cert'),
    caPath: settingText(env, 'CAPATH') ?? vault.text('ca_path'),
    caCertBytes: caCertBytes && pemText(caCertBytes),
    clientCert: settingText(env, 'CLIENT_CERT') ?? vault.text('client_cert'),
    clientKey: settingText(env, 'CLIENT_KEY') ?? vault.text('client_key'),
    tlsServerName: settingText(env, 'TLS_SERVER_NAME') ?? vault.text('tls_server_name'),
    namespace: settingText(env, 'NAMESPACE') ?? vault.text('namespace'),
  }
  const skip = vault.flag('tls_skip_verify')
  for (const key of ['ca_cert', 'ca_path', 'client_cert', 'client_key', 'tls_server_name', 'namespace']) vault.text(key)
  const address = settingText(env, 'ADDR') ?? vault.text('address')
  vault.text('address')
  vault.end(['default_headers', 'tls_min_version'])
  return {
    address: (address ?? 'https://127.0.0.1:8200').replace(/\/+$/, ''),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value)),
    skipVerify: settingFlag(env, 'SKIP_VERIFY') ?? skip ?? false,
    timeoutMs: settingDuration(env, 'CLIENT_TIMEOUT') || 60_000,
    attempts: retries + 1,
  }
}

/** Vault: 0 stands for the default of 12, -1 for none. */
function vaultRetries(given: number | undefined): number {
  if (given === undefined || given === 0) return 12
  return Math.max(0, given)
}

function readListener(label: string | undefined, section: Section): ListenerConfig {
  const type = section.text('type') ?? label ?? 'tcp'
  if (type !== 'tcp') throw section.problem('type', 'must be "tcp"')
  const address = section.text('address') ?? '127.0.0.1:8200'
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address)
  if (!match || Number(match[3]) > 65535) throw section.problem('address', 'must be host:port')
  if (section.flag('tls_disable') !== true)
    throw section.problem('tls_disable', 'must be true: the listener speaks plain HTTP')
  const api = section.section('agent_api')
  const enableQuit = api?.flag('enable_quit') ?? false
  api?.end()
  section.end(['proxy_api', 'require_request_header', 'role', 'tls_cert_file', 'tls_key_file', 'socket_mode'])
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port: Number(match[3]), enableQuit }
}

/** The injector writes an empty `cache` beside a listener; one that asks for caching is refused. */
function refuseCache(top: Section) {
  for (const { section } of top.sections('cache')) section.end(['use_auto_auth_token', 'persist', 'when_inconsistent'])
}

const levels: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  debug: 'debug',
  '': 'info',
  info: 'info',
  notice: 'info',
  warn: 'warn',
  warning: 'warn',
  err: 'error',
  error: 'error',
}

export function readLevel(text = ''): LogLevel {
  const level = levels[text.toLowerCase()]
  if (!level) throw new ConfigError('the log level must be trace, debug, info, warn or error')
  return level
}

function readFormat(text = ''): 'standard' | 'json' {
  const format = text.toLowerCase()
  if (format === 'json') return 'json'
  if (format === '' || format === 'standard') return 'standard'
  throw new ConfigError('the log format must be standard or json')
}
