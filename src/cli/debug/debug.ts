import { formatGoDuration, parseVaultDuration } from '../../lib/duration.ts'
import { formatGoTime } from '../../lib/go-time.ts'
import { shownAddress } from '../../lib/shown-address.ts'
import { isObject, text } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { jsonText } from '../output/documents.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'
import { Bundle } from './bundle.ts'
import { Capture, type Target, targets } from './capture.ts'

const least = 5000
/** So that the last look of whole intervals is not cut off. */
const graceMs = 1000

export const debug: Command = {
  name: 'debug',
  summary: 'Record for a while what a server says of itself, in one file',
  args: '[options]',
  about:
    'For whoever helps you: metrics, machine, configuration without secrets, status, the paths of requests under way, and the log. No ' +
    'token and no value is in it. What the token may not read is noted and left out. Ctrl-C ends it early, with what there is.',
  examples: [
    { says: 'Two minutes of everything', run: 'debug' },
    { says: 'Five seconds of two things', run: 'debug -duration=5s -target=metrics -target=host -output=/tmp/now' },
  ],
  flags: {
    ...connectionFlags,
    compress: { kind: 'bool', about: 'One .tar.gz (default), or with -compress=false a folder.' },
    duration: { kind: 'duration', about: 'How long. Default 2m, at least 5s.' },
    interval: { kind: 'duration', about: 'How often. Default 30s, at least 5s.' },
    'metrics-interval': { kind: 'duration', about: 'How often metrics are read. Default 10s, at least 5s.' },
    output: { kind: 'text', about: 'Where to; default vault-debug-<time> here. Nothing is overwritten.' },
    target: { kind: 'list', about: `Only these, may be repeated: ${targets.join(', ')}.` },
    'log-format': { kind: 'text', about: 'standard (default) or json.' },
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const plan = planOf(call)
    const client = call.session.client()
    const { clock, signal, version } = call.context
    const accept = [429, 472, 473, 501, 503]
    const asked = client.request({ method: 'GET', path: 'sys/health', accept, signal })
    const { document: health } = await failing('Error during validation: unable to connect to the server', asked)
    const startedAt = clock.now()
    const bundle = new Bundle({ output: plan.output ?? `vault-debug-${fileTime(startedAt)}`, compress: plan.compress })
    const serverVersion = text(isObject(health) ? health['version'] : undefined)
    announce(call, plan, { serverVersion, destination: bundle.destination })
    const until = new AbortController()
    const stop = () => until.abort(new Error('the capture ends'))
    signal.addEventListener('abort', stop, { once: true })
    clock.sleep(plan.durationMs + graceMs, until.signal).then(stop, () => undefined)
    const capture = new Capture({ ...plan, client, bundle, clock, until: until.signal })
    line(call, '\n==> Capturing static information...')
    await capture.once()
    line(call, '\n==> Capturing dynamic information...')
    await capture.run()
    signal.removeEventListener('abort', stop)
    line(call, '\nFinished capturing information, bundling files...')
    const index = {
      version: 1,
      vault_address: shownAddress(call.session.address()),
      client_version: version,
      server_version: serverVersion,
      timestamp: formatGoTime(startedAt),
      duration_seconds: plan.durationMs / 1000,
      interval_seconds: plan.intervalMs / 1000,
      metrics_interval_seconds: plan.metricsIntervalMs / 1000,
      compress: plan.compress,
      targets: [...plan.targets],
      output: { files: bundle.files() },
      errors: capture.errors.map((error) => ({ ...error })),
    }
    bundle.write('index.json', `${jsonText(index)}\n`)
    bundle.finish(clock.now())
    line(call, `Success! Bundle written to: ${bundle.destination}`)
    return 0
  },
}

interface Plan {
  readonly compress: boolean
  readonly durationMs: number
  readonly intervalMs: number
  readonly metricsIntervalMs: number
  readonly output: string | undefined
  readonly targets: readonly Target[]
  readonly logFormat: string
}

function planOf(call: CommandCall): Plan {
  const { flags } = call
  const logFormat = flags.text('log-format') ?? 'standard'
  if (logFormat !== 'standard' && logFormat !== 'json') {
    throw new Failure(1, `${JSON.stringify(logFormat)} is an unknown log format. Valid log formats are: standard, json`)
  }
  const time = (name: string, otherwise: string, most = Infinity) => {
    const given = parseVaultDuration(flags.text(name) ?? otherwise) ?? 0
    const taken = Math.min(Math.max(given, least), most)
    if (taken !== given && flags.has(name)) {
      line(call, `Overwriting ${name} value "${formatGoDuration(given)}" to "${formatGoDuration(taken)}"`)
    }
    return taken
  }
  const durationMs = time('duration', '2m')
  const given = flags.list('target').flatMap((list) => list.split(','))
  const unknown = given.filter((name) => !targets.some((target) => target === name))
  if (unknown.length > 0) line(call, `Ignoring invalid targets: ${unknown.join(', ')}`)
  const wanted = targets.filter((target) => given.length === 0 || given.includes(target))
  if (wanted.length === 0) throw new Failure(1, `Error during validation: no target; there are ${targets.join(', ')}`)
  return {
    compress: !flags.has('compress') || flags.on('compress'),
    durationMs,
    intervalMs: time('interval', '30s', durationMs),
    metricsIntervalMs: time('metrics-interval', '10s', durationMs),
    output: flags.text('output'),
    targets: wanted,
    logFormat,
  }
}

function announce(call: CommandCall, plan: Plan, more: { serverVersion: string; destination: string }): void {
  const rows = [
    ['Vault Address', shownAddress(call.session.address())],
    ['Client Version', call.context.version],
    ['Server Version', more.serverVersion],
    ['Duration', formatGoDuration(plan.durationMs)],
    ['Interval', formatGoDuration(plan.intervalMs)],
    ['Metrics Interval', formatGoDuration(plan.metricsIntervalMs)],
    ['Targets', plan.targets.join(', ')],
    ['Output', more.destination],
  ] as const
  line(call, '==> Starting debug capture...')
  for (const [name, value] of rows) line(call, `${name.padStart(22)}: ${value}`)
}

/** "2026-01-02T03-04-05Z" */
const fileTime = (ms: number) => `${new Date(ms).toISOString().slice(0, 19).replaceAll(':', '-')}Z`
