import { readFile } from 'node:fs/promises'
import type { Clock } from '../../lib/clock.ts'
import { formatGoDuration } from '../../lib/duration.ts'
import type { RandomBytes } from '../../lib/random.ts'
import type { VaultClient } from '../../sdk/client.ts'
import type { AuthInfo } from '../../sdk/envelope.ts'
import { loginKubernetes } from '../../sdk/login/kubernetes.ts'
import { type LifetimeEnd, watchToken } from '../../sdk/renewal.ts'
import type { KubernetesMethod } from '../config/agent-config.ts'
import { AgentFailure, describe, type FailureKind, kindOf } from '../failure.ts'
import { linkedAbort } from '../linked-abort.ts'
import type { AgentLog } from '../log.ts'
import type { Outage } from '../outage.ts'
import type { TokenHolder } from './token-holder.ts'

export interface AutoAuthOptions {
  readonly method: KubernetesMethod
  readonly client: VaultClient
  readonly holder: TokenHolder
  readonly outage: Outage
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: AgentLog
  /** An init container must not wait for what will not come: three refusals and it fails. */
  readonly failFast: boolean
  readonly onToken: (auth: AuthInfo) => void
}

const refusalsBeforeFailure = 3
const outageBackoffMs = 5000

/** Logs in, keeps the token alive, logs in again when it can't be kept. Ends only by the signal or an AgentFailure. */
export async function runAutoAuth(options: AutoAuthOptions, signal: AbortSignal): Promise<never> {
  const { holder, log, onToken, clock, method } = options
  log.info('starting auth handler')
  for (let shortLived = 0; ; ) {
    const auth = await login(options, signal)
    log.info('authentication successful, sending token to sinks')
    holder.set(auth)
    onToken(auth)
    log.info('starting renewal process')
    const began = clock.monotonic()
    const end = await hold(options, auth, signal)
    log.info(end === 'lost' ? 'the token is no longer valid' : 'the token can not be renewed further, logging in again')
    if (end === 'lost') holder.reject(auth.client_token)
    // One revoked token is replaced at once; tokens that all end as soon as they come must not become a storm of logins.
    shortLived = clock.monotonic() - began < method.minBackoffMs ? shortLived + 1 : 0
    if (shortLived > 1) await clock.sleep(backoff(shortLived - 2, options), signal)
  }
}

async function login(options: AutoAuthOptions, signal: AbortSignal): Promise<AuthInfo> {
  const { holder, log, outage, clock } = options
  let refusals = 0
  for (let failures = 0; ; failures++) {
    log.info('authenticating')
    try {
      const auth = await tryLogin(options, signal)
      outage.answered(holder)
      return auth
    } catch (error) {
      if (signal.aborted) throw signal.reason
      const kind = loginFailure(error)
      if (kind === 'outage') outage.failed(holder, error)
      else if (!(error instanceof AgentFailure)) outage.answered(holder)
      if (kind === 'refused') refusals += 1
      const text = explain(error, options.method)
      holder.failed(text)
      if (options.method.exitOnErr || (options.failFast && refusals >= refusalsBeforeFailure))
        throw new AgentFailure(text)
      const backoffMs = backoff(failures, options)
      log.error('error authenticating', { error: text, backoff: formatGoDuration(backoffMs) })
      await clock.sleep(backoffMs, signal)
    }
  }
}

async function tryLogin({ method, client }: AutoAuthOptions, signal: AbortSignal): Promise<AuthInfo> {
  const { role, mountPath, namespace } = method
  const jwt = await readFile(method.tokenPath, 'utf8').catch((cause: unknown) => {
    throw new AgentFailure(`cannot read the service account token in ${method.tokenPath}`, { cause })
  })
  return loginKubernetes(client, { role, mountPath, jwt, signal, ...(namespace ? { namespace } : {}) })
}

/** A login brings no token of its own: what would mean a bad one elsewhere is a refusal. */
function loginFailure(error: unknown): FailureKind {
  const kind = kindOf(error)
  return kind === 'token' ? 'refused' : kind
}

function explain(error: unknown, method: KubernetesMethod): string {
  const text = describe(error)
  if (loginFailure(error) !== 'refused' || error instanceof AgentFailure) return text
  return `login as role "${method.role}" at ${method.mountPath}/login was refused: ${text}. Check that the role exists there and that it is bound to this pod's service account and namespace`
}

/** Doubles from the least to the longest, less up to a quarter by chance; while files wait for the server it stays short. */
function backoff(failures: number, { method, random, outage }: AutoAuthOptions): number {
  const doubled = Math.min(method.minBackoffMs * 2 ** Math.min(failures, 30), method.maxBackoffMs)
  const limit = outage.current ? Math.min(doubled, outageBackoffMs) : doubled
  return Math.round(limit * (1 - (0.25 * (random(1)[0] ?? 0)) / 256))
}

async function hold(options: AutoAuthOptions, auth: AuthInfo, signal: AbortSignal): Promise<LifetimeEnd> {
  const { client, clock, random, holder, log, outage } = options
  const watch = linkedAbort(signal)
  const renewal = watchToken({
    client,
    auth,
    clock,
    random,
    signal: watch.signal,
    onRenewed: (lease) => {
      outage.answered(holder)
      holder.renewed(lease.leaseDuration)
      log.info('renewed auth token')
    },
    onError: (error, retryMs) => {
      if (kindOf(error) === 'outage') outage.failed(holder, error)
      log.warn('error renewing token', { error: describe(error), backoff: formatGoDuration(Math.round(retryMs)) })
    },
  })
  const rejection = holder.rejection(watch.signal).then((): LifetimeEnd => 'lost')
  try {
    return await Promise.race([renewal, rejection])
  } finally {
    watch.stop(new Error('the token is no longer watched'))
    await Promise.allSettled([renewal, rejection])
  }
}
