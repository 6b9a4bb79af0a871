/** `coffer controller`: External Secrets Operator's job, with its flags. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { vaultProvider } from '../controller/providers/vault/vault-provider.ts'
import { runController } from '../controller/run-controller.ts'
import { loadKubeConfig } from '../kube/kubeconfig.ts'
import { createKubeClient } from '../kube/rest-client.ts'
import { systemClock } from '../lib/clock.ts'
import { parseGoDuration } from '../lib/duration.ts'
import type { Logger } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { createNodeTransport } from '../sdk/node-transport.ts'
import { createSocketConnector } from '../sdk/web-socket.ts'
import type { Program, ProgramIo } from './program.ts'
import { announceReady } from './server/ready.ts'

const usage = `Usage: coffer controller [flags]

Keeps Kubernetes Secrets in step with ExternalSecrets and their SecretStores (external-secrets.io v1 and v1beta1).

  --kubeconfig FILE                how to reach the cluster; default: KUBECONFIG, the pod's service account, ~/.kube/config
  --namespace NAME                 only this namespace; default: all
  --controller-class NAME          only stores of this class, or of none (default)
  --concurrent N                   ExternalSecrets worked on at the same time (16)
  --store-requeue-interval TIME    how often stores are checked that do not say so (5m)
  --loglevel LEVEL                 debug, info, warn, error (info)
`

const levels = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof levels)[number]

interface Settings {
  readonly kubeconfig: string | undefined
  readonly namespace: string | undefined
  readonly controllerClass: string
  readonly concurrency: number
  readonly storeRequeueIntervalMs: number
  readonly level: Level
}

export const program: Program = {
  async run(args, io) {
    if (args.includes('--help') || args.includes('-h')) {
      io.stdout.write(usage)
      return 0
    }
    const settings = settingsOf(args)
    if (typeof settings === 'string') {
      io.stderr.write(`${settings}\nSee coffer controller --help.\n`)
      return 1
    }
    const log = await jsonLogger(io, settings.level)
    try {
      await serve(settings, io, log)
      return 0
    } catch (error) {
      log.error('controller.failed', { error: error instanceof Error ? error.message : String(error) })
      return 1
    }
  },
}

async function serve(settings: Settings, io: ProgramIo, log: Logger): Promise<void> {
  const clock = systemClock
  const random = systemRandom
  const config = await loadKubeConfig({
    env: io.env,
    clock,
    readFile: (path) => readFile(path, 'utf8'),
    ...(settings.kubeconfig !== undefined && { path: settings.kubeconfig }),
  })
  const client = createKubeClient({ config, clock, random, log, userAgent: 'external-secrets' })
  try {
    await runController(
      {
        client,
        providers: [vaultProvider({ dial })],
        ownToken,
        controllerClass: settings.controllerClass,
        concurrency: settings.concurrency,
        storeRequeueIntervalMs: settings.storeRequeueIntervalMs,
        clock,
        random,
        log,
        onReady: () => {
          log.info('controller.ready', { server: config.server, namespace: settings.namespace ?? null })
          announceReady(io.env, {})
        },
        ...(settings.namespace !== undefined && { namespace: settings.namespace }),
      },
      io.stop,
    )
  } finally {
    await client.close()
  }
  log.info('controller.stopped')
}

/** A store that does not answer holds up nobody for longer than this. */
const answerWithinMs = 10_000

function dial(target: Parameters<typeof createNodeTransport>[0]) {
  const options = { ...target, timeoutMs: answerWithinMs }
  return {
    transport: createNodeTransport({ ...options, followRedirects: 'own host' }),
    connect: createSocketConnector({ ...options, clock: systemClock }),
  }
}

const ownToken = () =>
  readFile('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )

/** A string says what is wrong with the command line. */
function settingsOf(args: readonly string[]): Settings | string {
  const values = flagsOf(args)
  if (typeof values === 'string') return values
  const concurrency = Number(values.concurrent)
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    return `--concurrent: ${JSON.stringify(values.concurrent)} is no count of at least 1`
  }
  const interval = values['store-requeue-interval']
  const storeRequeueIntervalMs = parseGoDuration(interval)
  if (storeRequeueIntervalMs === undefined || storeRequeueIntervalMs <= 0) {
    return `--store-requeue-interval: ${JSON.stringify(interval)} is no duration like "5m"`
  }
  const level = levels.find((one) => one === values.loglevel)
  if (!level) return `--loglevel: ${JSON.stringify(values.loglevel)} is none of ${levels.join(', ')}`
  return {
    kubeconfig: values.kubeconfig,
    namespace: values.namespace === '' ? undefined : values.namespace,
    controllerClass: values['controller-class'],
    concurrency,
    storeRequeueIntervalMs,
    level,
  }
}

function flagsOf(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        kubeconfig: { type: 'string' },
        namespace: { type: 'string' },
        'controller-class': { type: 'string', default: 'default' },
        concurrent: { type: 'string', default: '16' },
        'store-requeue-interval': { type: 'string', default: '5m' },
        loglevel: { type: 'string', default: 'info' },
      },
    })
    return values
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function jsonLogger(io: ProgramIo, level: Level): Promise<Logger> {
  const { createLogger } = await import('./server/node/logger.ts')
  return createLogger({ level, name: 'controller', write: (line) => io.stderr.write(line) })
}
