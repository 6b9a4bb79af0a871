import { readFile } from 'node:fs/promises'
import { Failure } from '../cli/command.ts'
import { ServingCertificate } from '../injector/tls/serving-certificate.ts'
import { keepRegistered } from '../injector/tls/webhook-registration.ts'
import { podWebhook } from '../injector/webhook.ts'
import { type AdmissionServer, startAdmissionServer } from '../kube/admission.ts'
import { loadKubeConfig } from '../kube/kubeconfig.ts'
import { createKubeClient } from '../kube/rest-client.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import type { Logger } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { untilAborted } from '../lib/until-aborted.ts'
import type { KeyedCertificate } from '../lib/x509/certificates.ts'
import { type InjectorArguments, injectorFlags, readArguments } from './injector/arguments.ts'
import { lineLogger } from './injector/log-lines.ts'
import type { Program, ProgramIo } from './program.ts'
import { announceReady } from './server/ready.ts'

/** The webhook that adds the agent to pods. */
export const program: Program = {
  run: async (argv, io) => {
    if (argv.some((word) => ['-h', '-help', '--help'].includes(word))) {
      io.stdout.write(`${help()}\n`)
      return 0
    }
    try {
      await serve(readArguments(argv, io.env), io)
      return 0
    } catch (error) {
      io.stderr.write(`coffer injector: ${error instanceof Error ? error.message : String(error)}\n`)
      return error instanceof Failure ? error.status : 1
    }
  },
}

async function serve(given: InjectorArguments, io: ProgramIo): Promise<void> {
  const clock = systemClock
  const log = lineLogger({ stream: io.stderr, level: given.logLevel, format: given.logFormat, clock })
  // Ends the background work with whatever ends first. (AbortSignal.any loses signals to the collector in Node 20.)
  const ended = new AbortController()
  const stop = ended.signal
  io.stop.addEventListener('abort', () => ended.abort(io.stop.reason), { once: true })
  if (io.stop.aborted) ended.abort(io.stop.reason)
  let registered = given.tlsAuto === undefined
  const certificate = await openCertificate(given, { clock, io, log })
  const server = await startAdmissionServer({
    certificate: certificate.current(),
    handlers: { '/mutate': podWebhook({ defaults: given.defaults, log }) },
    ready: () => registered,
    host: given.host,
    port: given.port,
    clock,
    log,
  })
  const address = `https://${given.host.includes(':') ? `[${given.host}]` : given.host}:${server.port}`
  log.info('injector.listening', { address, image: given.defaults.image, server: given.defaults.address })
  const ready = announcer(io, address)
  const work = [certificate.follow(server, stop)]
  if (given.tlsAuto === undefined) ready()
  else {
    const onState = (now: boolean) => {
      registered = now
      if (now) ready()
    }
    work.push(
      register(
        { given, name: given.tlsAuto, address, caPem: certificate.caPem() ?? '', onState },
        { io, clock, log, stop },
      ),
    )
  }
  try {
    await Promise.race([untilAborted(stop), Promise.all(work)])
  } finally {
    ended.abort(new Error('stopped'))
    await server.close()
    log.info('injector.stopped')
  }
}

/** A supervising parent is told once, when the API server can reach and trust us. */
function announcer(io: ProgramIo, address: string): () => void {
  let told = false
  return () => {
    if (!told) announceReady(io.env, { address })
    told = true
  }
}

interface Background {
  readonly io: ProgramIo
  readonly clock: Clock
  readonly log: Logger
  readonly stop: AbortSignal
}

async function register(
  what: { given: InjectorArguments; name: string; address: string; caPem: string; onState(now: boolean): void },
  { io, clock, log, stop }: Background,
): Promise<void> {
  const { given, name, address, caPem, onState } = what
  const config = await loadKubeConfig({
    ...(given.kubeconfig === undefined ? {} : { path: given.kubeconfig }),
    env: io.env,
    clock,
    readFile: (path) => readFile(path, 'utf8'),
  })
  const kube = createKubeClient({ config, clock, random: systemRandom, log, userAgent: 'coffer-injector' })
  try {
    const url = isLoopback(given.host) ? { url: address } : {}
    await keepRegistered({ kube, name, caPem, clock, log, onState, ...url }, stop)
  } finally {
    await kube.close()
  }
}

interface OpenCertificate {
  current(): KeyedCertificate
  /** Of our own CA only. */
  caPem(): string | undefined
  /** Gives the server each newer certificate. */
  follow(server: AdmissionServer, stop: AbortSignal): Promise<void>
}

async function openCertificate(
  given: InjectorArguments,
  { clock, io, log }: Omit<Background, 'stop'>,
): Promise<OpenCertificate> {
  const { tlsCertFile, tlsKeyFile, tlsAuto } = given
  if (tlsCertFile !== undefined && tlsKeyFile !== undefined)
    return fromFiles(tlsCertFile, tlsKeyFile, { clock, io, log })
  if (tlsAuto === undefined) throw new Failure(1, 'No TLS: give -tls-auto, or -tls-cert-file and -tls-key-file')
  const own = new ServingCertificate({ hosts: hostsOf(given), clock, random: systemRandom })
  return {
    current: () => own.current(),
    caPem: () => own.caPem(),
    follow: (server, stop) => own.keepFresh((leaf) => server.setCertificate(leaf), stop),
  }
}

async function fromFiles(
  certFile: string,
  keyFile: string,
  { clock, io, log }: Omit<Background, 'stop'>,
): Promise<OpenCertificate> {
  const read = async () => ({ certPem: await readFile(certFile, 'utf8'), keyPem: await readFile(keyFile, 'utf8') })
  let now = await read().catch((cause: Error) => {
    throw new Failure(1, `cannot read the certificate: ${cause.message}`)
  })
  const reload = async (server: AdmissionServer) => {
    try {
      const next = await read()
      if (next.certPem === now.certPem && next.keyPem === now.keyPem) return
      server.setCertificate(next)
      now = next
      log.info('injector.certificate_reloaded')
    } catch (error) {
      log.warn('injector.certificate_kept', { error: error instanceof Error ? error.message : 'unknown' })
    }
  }
  return {
    current: () => now,
    caPem: () => undefined,
    follow: async (server, stop) => {
      io.onReload(() => void reload(server))
      while (!stop.aborted) {
        await clock.sleep(10_000, stop).catch(() => undefined)
        if (!stop.aborted) await reload(server)
      }
    },
  }
}

/** Without -tls-auto-hosts: the address that we listen on, or the Service of the field's chart. */
function hostsOf(given: InjectorArguments): readonly string[] {
  if (given.tlsAutoHosts.length > 0) return given.tlsAutoHosts
  if (isLoopback(given.host)) return [given.host]
  throw new Failure(
    1,
    'give -tls-auto-hosts: the names by which the API server calls us, such as <service>.<namespace>.svc',
  )
}

const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.')

function help(): string {
  const width = Math.max(...Object.keys(injectorFlags).map((name) => name.length))
  const lines = Object.entries(injectorFlags).map(([name, { about }]) => `    -${name.padEnd(width)}  ${about}`)
  return [
    'Usage: coffer injector [options]',
    'The webhook that adds the agent to pods with the annotation vault.hashicorp.com/agent-inject.',
    'In a cluster, behind a Service:\n\n    $ coffer injector -vault-address=https://vault.vault.svc:8200 -vault-image=coffer \\\n        -tls-auto=vault-agent-injector-cfg -tls-auto-hosts=vault-agent-injector-svc.vault.svc',
    `Options (each also as AGENT_INJECT_<NAME>, which wins):\n${lines.join('\n')}`,
  ].join('\n\n')
}
