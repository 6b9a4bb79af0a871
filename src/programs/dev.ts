/** `coffer dev`: the whole of Coffer on one machine, for development and demonstration, in one folder that goes away with it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../lib/clock.ts'
import { base62, systemRandom } from '../lib/random.ts'
import { type DevArguments, parseDevArguments, usage } from './dev/arguments.ts'
import { JoinedCluster } from './dev/cluster/join.ts'
import { askConsent } from './dev/cluster/preflight/consent.ts'
import {
  describeCluster,
  type GivenCluster,
  hostAndPort,
  lookAtCluster,
  refusalOf,
} from './dev/cluster/preflight/given.ts'
import { removalCommand } from './dev/cluster/run-marks.ts'
import { type DemoContext, StepFailed } from './dev/demo/context.ts'
import { steps } from './dev/demo/steps.ts'
import { type Environment, prepareEnvironment } from './dev/environment.ts'
import { runJanitor } from './dev/janitor.ts'
import { runKeys } from './dev/keys.ts'
import { type Parts, startParts } from './dev/parts.ts'
import { productionIn, serverElsewhere } from './dev/production.ts'
import { ChildFailed, Supervisor } from './dev/supervisor.ts'
import { createTerminal, formatMs, type Terminal } from './dev/terminal.ts'
import type { Program, ProgramIo } from './program.ts'

export const program: Program = {
  async run(args, io) {
    if (args[0] === 'janitor') return runJanitor(args[1] ?? '', io.stdin, systemClock)
    const parsed = parseDevArguments(args)
    if ('problem' in parsed) {
      io.stderr.write(`coffer dev: ${parsed.problem}\n\n${usage}`)
      return 1
    }
    if (parsed.help) {
      io.stdout.write(usage)
      return 0
    }
    if (parsed.dir && !existsSync(parsed.dir)) {
      io.stderr.write(
        `coffer dev: --dir ${parsed.dir}: no such folder; make it first, or leave --dir out for ${io.env['TMPDIR'] ?? '/tmp'}\n`,
      )
      return 1
    }
    const production = parsed.dir && productionIn(parsed.dir)
    if (production) {
      io.stderr.write(`coffer dev: --dir: ${production}\n`)
      return 1
    }
    return runDev(parsed, io)
  },
}

async function runDev(options: DevArguments, io: ProgramIo): Promise<number> {
  const terminal = createTerminal(io.stdout, io.env)
  const elsewhere = serverElsewhere(io.env)
  if (elsewhere) terminal.warn(elsewhere)
  const given = options.kubeconfig === undefined ? undefined : await openCluster(options, io, terminal)
  if (given === 'refused') return 1
  const environment = await prepareEnvironment({
    parent: options.dir,
    host: given?.address.ip ?? '127.0.0.1',
    strangers: given !== undefined,
    outboundAllow: given ? hostAndPort(given.config.server) : '127.0.0.1/32',
    env: io.env,
    random: systemRandom,
    now: systemClock.now(),
  })
  // A part that dies ends what is under way: whoever waits for it would wait in vain.
  const died = new AbortController()
  // Not a listener of ours: Ctrl-C may have come while the cluster was looked at.
  const stop = AbortSignal.any([io.stop, died.signal])
  let death: string | undefined
  const supervisor = new Supervisor({
    dir: environment.dir,
    clock: systemClock,
    env: environment.childEnv,
    onDeath: (_name, report) => {
      death ??= report
      died.abort(new ChildFailed(report))
    },
  })
  const joined = given && new JoinedCluster({ given, environment, supervisor, terminal, clock: systemClock })
  let status = 0
  try {
    await runParts({ ...options, io, terminal, environment, supervisor, joined, stop })
  } catch (error) {
    if (io.stop.aborted) {
      status = options.exit ? 1 : 0
    } else {
      status = 1
      terminal.fail(death ?? describeFailure(error, supervisor))
    }
  }
  terminal.line(io.stop.aborted ? '\nStopping …' : '')
  await supervisor.stop(async () => {
    if (joined && !(await leaveCluster(joined, terminal))) status = 1
  })
  await given?.kube.close()
  return status
}

/** Looks at it, says what it is, asks. Nothing has been written when it is refused. */
async function openCluster(
  options: DevArguments,
  io: ProgramIo,
  terminal: Terminal,
): Promise<GivenCluster | 'refused'> {
  const refuse = async (why: string, given?: GivenCluster): Promise<'refused'> => {
    terminal.fail(why)
    await given?.kube.close()
    return 'refused'
  }
  try {
    const { kubeconfig = '', context, yes } = options
    const { env, cwd } = io
    const given = await lookAtCluster({ kubeconfig, context, cwd, env, clock: systemClock, random: systemRandom })
    terminal.line(describeCluster(given))
    const refusal = (await refusalOf(given)) ?? (await askConsent(given, { yes, io, terminal }))
    if (refusal !== undefined) return await refuse(refusal, given)
    return io.stop.aborted ? await refuse('stopped: nothing was written', given) : given
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

/** False: something may be left, which was said. */
async function leaveCluster(joined: JoinedCluster, terminal: Terminal): Promise<boolean> {
  const started = systemClock.monotonic()
  try {
    if (await joined.leave())
      terminal.done(`namespace ${joined.namespace} and all of this run removed`, systemClock.monotonic() - started)
    return true
  } catch (error) {
    terminal.fail(
      `${error instanceof Error ? error.message : String(error)}\n   what is left of this run goes with: ${removalCommand(joined.namespace)}`,
    )
    return false
  }
}

function describeFailure(error: unknown, supervisor: Supervisor): string {
  if (error instanceof StepFailed) return supervisor.report(error.part, error.message)
  return error instanceof Error ? error.message : String(error)
}

interface Run {
  readonly joined: JoinedCluster | undefined
  readonly demo: boolean
  readonly exit: boolean
  readonly io: ProgramIo
  readonly terminal: Terminal
  readonly environment: Environment
  readonly supervisor: Supervisor
  readonly stop: AbortSignal
}

async function runParts(run: Run): Promise<void> {
  const { terminal, environment, supervisor, joined, stop } = run
  stop.throwIfAborted()
  const started = systemClock.monotonic()
  terminal.step(1, 'Server, cluster, controller, injector and pod runner start')
  const parts = await startParts({ ...run, clock: systemClock, random: systemRandom })
  terminal.done('everything runs', systemClock.monotonic() - started)
  terminal.hint(`. ${parts.envFile} && ${commandFrom(run.io.cwd, environment)} status`)
  const context: DemoContext = {
    terminal,
    clock: systemClock,
    environment,
    server: parts.server,
    vault: parts.server.client(),
    cluster: parts.cluster,
    envFile: parts.envFile,
    command: commandFrom(run.io.cwd, environment),
    newPassword: () => base62(systemRandom, 20),
    stop,
  }
  try {
    if (run.demo) await runSteps(run, context, started)
    if (run.exit) return
    printAccess(run, parts)
    await runKeys({ context, io: run.io, supervisor, demo: run.demo })
  } finally {
    // Somebody's cluster is still to be left.
    if (!joined) await parts.cluster.kube.close()
  }
}

async function runSteps(run: Run, context: DemoContext, started: number): Promise<void> {
  for (const [index, step] of steps.entries()) {
    run.stop.throwIfAborted()
    run.terminal.step(index + 2, step.title)
    await step.run(context)
  }
  run.terminal.line()
  run.terminal.done(`all ${steps.length + 1} steps`, systemClock.monotonic() - started)
}

const commandFrom = (cwd: string, environment: Environment) =>
  cwd === environment.packageRoot ? './bin/coffer' : join(environment.packageRoot, 'bin/coffer')

function printAccess(run: Run, parts: Parts): void {
  const { terminal, environment } = run
  terminal.line(`
   server      ${environment.server.address}  (CA ${environment.server.caFile})
   token       ${parts.server.rootToken.reveal()}
   cluster     ${parts.cluster.kubeconfig}, namespace ${parts.cluster.namespace}
   logs        ${environment.dir}/logs
   audit       ${environment.server.auditFile}
   isolation   ${parts.isolation}`)
  terminal.line(`   ready in ${formatMs(parts.readyMs)}; Ctrl-C ends everything and leaves nothing behind`)
}
