/** Credentials from a command, as kubeconfig's `user.exec` says (client.authentication.k8s.io, ExecCredential). */
import { execFile } from 'node:child_process'
import type { Clock } from '../../lib/clock.ts'
import { bearer, type CredentialSource, type Identity } from './credential-source.ts'

export interface ExecPlugin {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  /** Added to `inheritedEnv`. */
  readonly env: Readonly<Record<string, string>>
  readonly inheritedEnv: Readonly<Record<string, string | undefined>>
  /** Shown when the command does not exist. */
  readonly installHint?: string
  /** Given to the plugin when it asks for it (provideClusterInfo). */
  readonly cluster?: Readonly<Record<string, unknown>>
}

const known = new Set(['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'])
/** A token is replaced this long before it expires, so that it can't expire on the way. */
const earlyMs = 10_000
/** What the command said this recently it would say again: it is not run for each request that is refused. */
const rerunMs = 10_000

export function execPlugin(plugin: ExecPlugin, clock: Clock): CredentialSource {
  if (!known.has(plugin.apiVersion)) throw new Error(`exec plugin: unknown apiVersion ${plugin.apiVersion}`)
  const closing = new AbortController()
  let held: { identity: Identity; until: number } | undefined
  let ranAt = Number.NEGATIVE_INFINITY
  let running: Promise<Identity> | undefined
  const renew = async (): Promise<Identity> => {
    ranAt = clock.monotonic()
    const status = credentialStatus(await runPlugin(plugin, closing.signal), plugin)
    held = { identity: status.identity, until: status.until }
    return status.identity
  }
  return {
    current() {
      if (held && clock.now() < held.until - earlyMs) return held.identity
      running ??= renew().finally(() => {
        running = undefined
      })
      return running
    },
    refused(identity) {
      if (held?.identity !== identity) return true
      if (clock.monotonic() - ranAt < rerunMs) return false
      held = undefined
      return true
    },
    close: () => closing.abort(),
  }
}

function runPlugin(plugin: ExecPlugin, signal: AbortSignal): Promise<string> {
  const info = {
    apiVersion: plugin.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(plugin.cluster ? { cluster: plugin.cluster } : {}) },
  }
  const env = { ...plugin.inheritedEnv, ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) }
  return new Promise((resolve, reject) => {
    const options = { env, signal, timeout: 60_000, maxBuffer: 1024 * 1024, encoding: 'utf8' as const }
    const child = execFile(plugin.command, [...plugin.args], options, (error, stdout) => {
      if (!error) return resolve(stdout)
      // Neither its output nor its arguments are repeated: both may hold credentials.
      const why = error.code === 'ENOENT' ? `not found. ${plugin.installHint ?? ''}`.trim() : `ended with ${error.code}`
      reject(new Error(`exec plugin ${plugin.command}: ${why}`))
    })
    child.stdin?.end()
  })
}

function credentialStatus(text: string, plugin: ExecPlugin): { identity: Identity; until: number } {
  const bad = (what: string) => new Error(`exec plugin ${plugin.command}: ${what}`)
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw bad('its output is no JSON')
  }
  const document = record(parsed)
  if (document['kind'] !== 'ExecCredential') throw bad('its output is no ExecCredential')
  if (document['apiVersion'] !== plugin.apiVersion) throw bad(`it answered another version than ${plugin.apiVersion}`)
  const status = record(document['status'])
  const { token, clientCertificateData: certPem, clientKeyData: keyPem, expirationTimestamp } = status
  const hasCert = typeof certPem === 'string' && typeof keyPem === 'string'
  if (typeof token !== 'string' && !hasCert) throw bad('it gave neither a token nor a certificate with its key')
  const until = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : Number.POSITIVE_INFINITY
  if (Number.isNaN(until)) throw bad('its expirationTimestamp is no time')
  const headers = typeof token === 'string' ? bearer(token) : {}
  return { identity: hasCert ? { headers, certPem, keyPem } : { headers }, until }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
