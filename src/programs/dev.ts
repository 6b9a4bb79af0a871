/** `coffer dev`: the whole of Coffer on one machine, for development and demonstration, in one folder that goes away with it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../lib/clock.ts'
import { base62, systemRandom } from '../lib/random.ts'
import { parseDevArguments, usage } from './dev/arguments.ts'
import { type DemoContext, StepFailed } from './dev/demo/context.ts'
import { steps } from './dev/demo/steps.ts'
import { type Environment, prepareEnvironment } from './dev/environment.ts'
import { runJanitor } from './dev/janitor.ts'
import { runKeys } from './dev/keys.ts'
import { type Parts, startParts } from './dev/parts.ts'
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
    return runDev(parsed, io)
  },
}

async function runDev(options: { demo: boolean; exit: boolean; dir?: string }, io: ProgramIo): Promise<number> {
  const terminal = createTerminal(io.stdout, io.env)
  const environment = await prepareEnvironment({
    parent: options.dir,
    env: io.env,
    random: systemRandom,
    now: systemClock.now(),
  })
  // A part that dies ends what is under way: whoever waits for it would wait in vain.
  const stop = new AbortController()
  io.stop.addEventListener('abort', () => stop.abort(io.stop.reason), { once: true })
  let death: string | undefined
  const supervisor = new Supervisor({
    dir: environment.dir,
    clock: systemClock,
    env: environment.childEnv,
    onDeath: (_name, report) => {
      death ??= report
      stop.abort(new ChildFailed(report))
    },
  })
  let status = 0
  try {
    await runParts({ ...options, io, terminal, environment, supervisor, stop: stop.signal })
  } catch (error) {
    if (io.stop.aborted) {
      status = options.exit ? 1 : 0
    } else {
      status = 1
      terminal.fail(death ?? describeFailure(error, supervisor))
    }
  }
  terminal.line(io.stop.aborted ? '\nStopping …' : '')
  await supervisor.stop()
  return status
}

function describeFailure(error: unknown, supervisor: Supervisor): string {
  if (error instanceof StepFailed) return supervisor.report(error.part, error.message)
  return error instanceof Error ? error.message : String(error)
}

interface Run {
  readonly demo: boolean
  readonly exit: boolean
  readonly io: ProgramIo
  readonly terminal: Terminal
  readonly environment: Environment
  readonly supervisor: Supervisor
  readonly stop: AbortSignal
}

async function runParts(run: Run): Promise<void> {
  const { terminal, environment, supervisor, stop } = run
  const started = systemClock.monotonic()
  terminal.step(1, 'Server, cluster, controller, injector and pod runner start')
  const parts = await startParts({ terminal, environment, supervisor, clock: systemClock, random: systemRandom, stop })
  terminal.done('everything runs', systemClock.monotonic() - started)
  terminal.hint(`. ${parts.envFile} && ${commandFrom(run.io.cwd, environment)} status`)
  const context: DemoContext = {
    terminal,
    clock: systemClock,
    environment,
    server: parts.server,
    vault: parts.server.client(),
    kube: parts.kube,
    envFile: parts.envFile,
    command: commandFrom(run.io.cwd, environment),
    cluster: parts.cluster,
    newPassword: () => base62(systemRandom, 20),
    stop,
  }
  try {
    if (run.demo) await runSteps(run, context, started)
    if (run.exit) return
    printAccess(run, parts)
    await runKeys({ context, io: run.io, supervisor, demo: run.demo })
  } finally {
    await parts.kube.close()
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
   cluster     ${parts.kubeconfig}
   logs        ${environment.dir}/logs
   audit       ${environment.server.auditFile}
   isolation   ${parts.isolation}`)
  terminal.line(`   ready in ${formatMs(parts.readyMs)}; Ctrl-C ends everything and leaves nothing behind`)
}
