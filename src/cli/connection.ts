import { resolveSrv } from 'node:dns/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pemText } from '../lib/pem-text.ts'
import { type Env, setting } from '../lib/setting.ts'
import { type NodeTransportOptions, readPem } from '../sdk/node-transport.ts'
import { type CliContext, Failure } from './command.ts'
import type { CurlOptions } from './dry-run/curl-command.ts'
import type { Flags } from './flags.ts'
import { environmentProxy } from './proxy-setting.ts'
import { boolSetting, durationSetting } from './settings.ts'

export function addressOf(flags: Flags, env: Env): string {
  return (
    flags.text('agent-address') ??
    setting(env, 'AGENT_ADDR')?.value ??
    flags.text('address') ??
    setting(env, 'ADDR')?.value ??
    'https://127.0.0.1:8200'
  )
}

/** About 25 days; what is longer a timer of Node's would make 1 ms. */
const longestTimeoutMs = 2 ** 31 - 1

/** How the server is reached, from flags and environment. Failure 1 for what cannot be understood or read. */
export function transportOptions(flags: Flags, env: Env): NodeTransportOptions {
  const address = addressOf(flags, env)
  const clientCert = flags.text('client-cert') ?? setting(env, 'CLIENT_CERT')?.value
  const clientKey = flags.text('client-key') ?? setting(env, 'CLIENT_KEY')?.value
  const serverName = flags.text('tls-server-name') ?? setting(env, 'TLS_SERVER_NAME')?.value
  const proxy = setting(env, 'PROXY_ADDR')?.value ?? setting(env, 'HTTP_PROXY')?.value ?? environmentProxy(address, env)
  const ca = certificateAuthorities(flags, env)
  const skipFlag = flags.has('tls-skip-verify') ? flags.on('tls-skip-verify') : undefined
  const stayFlag = flags.has('disable-redirects') ? flags.on('disable-redirects') : undefined
  return {
    address,
    skipVerify: skipFlag ?? boolSetting(env, 'SKIP_VERIFY') ?? false,
    timeoutMs: Math.min(durationSetting(env, 'CLIENT_TIMEOUT') || 60_000, longestTimeoutMs),
    ...(ca !== undefined && { caCertPem: ca }),
    ...(clientCert !== undefined && { clientCert: readPem(clientCert) }),
    ...(clientKey !== undefined && { clientKey: readPem(clientKey) }),
    ...(serverName !== undefined && { tlsServerName: serverName }),
    ...(proxy !== undefined && { proxy }),
    ...((stayFlag ?? boolSetting(env, 'DISABLE_REDIRECTS')) && { followRedirects: false }),
    ...(boolSetting(env, 'SRV_LOOKUP') && { resolveSrv }),
  }
}

/** The same for curl, which reads the files itself. */
export function curlOptions(flags: Flags, { env, name }: Pick<CliContext, 'env' | 'name'>): CurlOptions {
  const of = (flag: string, variable: string) => flags.text(flag) ?? setting(env, variable)?.value
  const caCert = of('ca-cert', 'CACERT')
  const caPath = of('ca-path', 'CAPATH')
  const clientCert = of('client-cert', 'CLIENT_CERT')
  const clientKey = of('client-key', 'CLIENT_KEY')
  const { address, skipVerify } = transportOptions(flags, env)
  return {
    address: address.replace(/\/+$/, ''),
    program: name,
    skipVerify: skipVerify === true,
    ...(caCert !== undefined && { caCert }),
    ...(caPath !== undefined && { caPath }),
    ...(clientCert !== undefined && { clientCert }),
    ...(clientKey !== undefined && { clientKey }),
  }
}

function certificateAuthorities(flags: Flags, env: Env): string | undefined {
  const bytes = setting(env, 'CACERT_BYTES')?.value
  if (bytes !== undefined && !flags.has('ca-cert')) return pemText(bytes)
  const file = flags.text('ca-cert') ?? setting(env, 'CACERT')?.value
  if (file !== undefined) return readPem(file)
  const folder = flags.text('ca-path') ?? setting(env, 'CAPATH')?.value
  return folder === undefined ? undefined : readFolder(folder)
}

function readFolder(folder: string): string {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => readFileSync(join(folder, entry.name), 'utf8'))
      .filter((content) => content.includes('-----BEGIN CERTIFICATE-----'))
      .join('\n')
  } catch (cause) {
    throw new Failure(1, `cannot read the certificates in ${folder}`, { cause })
  }
}
