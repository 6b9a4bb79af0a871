/** connection_url, parsed by us: `pg` would read files and dial sockets that a parameter names. No error here shows the URL. */
import { readFileSync } from 'node:fs'
import { Sensitive } from '../../../../lib/sensitive.ts'

export interface Host {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string
  readonly port: number
}

export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

export interface ConnectionTarget {
  /** Tried in this order; the first that is no standby is taken. */
  readonly hosts: readonly Host[]
  readonly user: string
  readonly database: string
  readonly password?: Sensitive<string>
  readonly sslMode: SslMode
  /** A file of certificates, or 'system'. */
  readonly sslRootCert?: string
  readonly sslCert?: string
  readonly sslKey?: string
  readonly applicationName: string
  readonly connectTimeoutMs: number
}

export class ConnectionUrlError extends Error {
  override name = 'ConnectionUrlError'
}

const accepted = [
  'application_name',
  'connect_timeout',
  'host',
  'port',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslrootcert',
  'target_session_attrs',
] as const
type Parameter = (typeof accepted)[number]
const isAccepted = (name: string): name is Parameter => accepted.some((known) => known === name)

const urlForm = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/

/** Throws ConnectionUrlError. */
export function parseConnectionUrl(url: string): ConnectionTarget {
  const match = urlForm.exec(url)
  if (!match) {
    throw new ConnectionUrlError(
      'connection_url must look like postgres://user:password@host:5432/database?sslmode=verify-full, and @ : / ? # in a user or password are written %40 %3A %2F %3F %23',
    )
  }
  const [, login = '', authority = '', path = '', query = ''] = match
  const parameters = readParameters(query)
  const [user, password] = readLogin(login)
  const hosts = readHosts(authority, parameters)
  const { application_name: applicationName = 'coffer' } = parameters
  const database = decode(path, 'database') || user
  return {
    hosts,
    user,
    database,
    ...(password ? { password: new Sensitive(password) } : {}),
    ...readTls(parameters, hosts),
    applicationName,
    connectTimeoutMs: readTimeout(parameters.connect_timeout),
  }
}

function decode(text: string, what: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw new ConnectionUrlError(`the ${what} in connection_url has a % that two hex digits do not follow`)
  }
  if (decoded.includes('\0')) throw new ConnectionUrlError(`the ${what} in connection_url has a NUL`)
  return decoded
}

function readLogin(login: string): [user: string, password: string] {
  const colon = login.indexOf(':')
  const user = decode(colon < 0 ? login : login.slice(0, colon), 'user')
  if (!user) throw new ConnectionUrlError('connection_url names no user: postgres://user@host/database')
  return [user, colon < 0 ? '' : decode(login.slice(colon + 1), 'password')]
}

function readParameters(query: string): Partial<Record<Parameter, string>> {
  const found: Partial<Record<Parameter, string>> = {}
  for (const part of query === '' ? [] : query.split('&')) {
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals), 'parameters')
    // The name alone: what stands after it may be a password.
    if (!isAccepted(name)) {
      throw new ConnectionUrlError(
        `the parameter "${name.slice(0, 40)}" of connection_url is not accepted: ${accepted.join(', ')} are`,
      )
    }
    if (found[name] !== undefined)
      throw new ConnectionUrlError(`the parameter "${name}" stands twice in connection_url`)
    found[name] = decode(equals < 0 ? '' : part.slice(equals + 1), name)
  }
  const { target_session_attrs: attributes } = found
  if (attributes !== undefined && !['any', 'read-write', 'primary'].includes(attributes)) {
    throw new ConnectionUrlError('target_session_attrs can only be read-write or primary: a standby is never read')
  }
  return found
}

function readHosts(authority: string, { host, port }: Partial<Record<Parameter, string>>): Host[] {
  if (authority !== '' && (host !== undefined || port !== undefined)) {
    throw new ConnectionUrlError('connection_url names hosts twice, before the path and as a parameter')
  }
  if (authority === '') {
    const ports = port?.split(',') ?? []
    return (host ?? 'localhost').split(',').map((name, i) => {
      if (name === '') throw new ConnectionUrlError('connection_url has an empty host')
      return { host: name, port: readPort(ports[i] ?? ports[0] ?? '5432') }
    })
  }
  return authority.split(',').map((one) => {
    const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d+))?$/.exec(one)
    const name = match?.[1] ?? decode(match?.[2] ?? '', 'host')
    if (!name) throw new ConnectionUrlError('a host in connection_url is none: host, host:port or [IPv6]:port are')
    return { host: name, port: readPort(match?.[3] ?? '5432') }
  })
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw new ConnectionUrlError('a port in connection_url must be 1 to 65535')
  return port
}

function readTimeout(text: string | undefined): number {
  if (text === undefined) return 5000
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (seconds < 1 || seconds > 600) throw new ConnectionUrlError('connect_timeout must be 1 to 600 seconds')
  return seconds * 1000
}

const modes = ['disable', 'require', 'verify-ca', 'verify-full'] as const
const isLocal = ({ host }: Host) => host.startsWith('/') || /^(?:localhost|127\.[\d.]+|::1)$/.test(host)

/** Without sslmode: no TLS to this host itself, `require` to others. */
function readTls(parameters: Partial<Record<Parameter, string>>, hosts: readonly Host[]) {
  const { sslmode, sslrootcert, sslcert, sslkey } = parameters
  const mode = sslmode === undefined ? (hosts.every(isLocal) ? 'disable' : 'require') : modes.find((m) => m === sslmode)
  if (mode === undefined) {
    throw new ConnectionUrlError(
      `sslmode must be one of ${modes.join(', ')}: allow and prefer give way to whoever stands between`,
    )
  }
  if (mode === 'disable' && (sslrootcert ?? sslcert ?? sslkey) !== undefined) {
    throw new ConnectionUrlError('connection_url names certificates, but there is no TLS: add sslmode=verify-full')
  }
  if ((sslcert === undefined) !== (sslkey === undefined)) {
    throw new ConnectionUrlError('sslcert and sslkey go together in connection_url')
  }
  return {
    // As libpq has it: with roots of its own `require` verifies them.
    sslMode: mode === 'require' && sslrootcert !== undefined ? ('verify-ca' as const) : mode,
    ...(sslrootcert === undefined ? {} : { sslRootCert: sslrootcert }),
    ...(sslcert === undefined ? {} : { sslCert: sslcert }),
    ...(sslkey === undefined ? {} : { sslKey: sslkey }),
  }
}

export interface TlsOptions {
  readonly rejectUnauthorized: boolean
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly checkServerIdentity?: () => undefined
}

/** Reads the files anew, so that a renewed certificate is taken by the next connection. Throws ConnectionUrlError. */
export function tlsOptions(target: ConnectionTarget): TlsOptions | false {
  const { sslMode, sslRootCert, sslCert, sslKey } = target
  if (sslMode === 'disable') return false
  return {
    rejectUnauthorized: sslMode !== 'require',
    ...(sslMode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
    ...(sslRootCert !== undefined && sslRootCert !== 'system' ? { ca: readPem('sslrootcert', sslRootCert) } : {}),
    ...(sslCert === undefined ? {} : { cert: readPem('sslcert', sslCert) }),
    ...(sslKey === undefined ? {} : { key: readPem('sslkey', sslKey) }),
  }
}

function readPem(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConnectionUrlError(`${name} of connection_url cannot be read: ${path}`, { cause })
  }
}
