import { TemplateError } from '../../gotemplate/template-error.ts'
import type { Clock } from '../../lib/clock.ts'
import type { RandomBytes } from '../../lib/random.ts'
import { AgentFailure } from '../failure.ts'
import type { AgentLog } from '../log.ts'
import type { Dependencies } from '../secrets/dependencies.ts'
import { Wakeup } from '../wakeup.ts'
import { renderFile } from './atomic-file.ts'
import type { RunCommand } from './command.ts'
import type { TemplateJob } from './template-job.ts'

export interface RunnerOptions {
  readonly jobs: readonly TemplateJob[]
  readonly dependencies: Dependencies
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: AgentLog
  readonly runCommand: RunCommand
  /** A template that fails before it ever rendered ends the agent. */
  readonly exitOnFailure: boolean
}

const retryWriteMs = 5000

/** Renders each template when all its secrets are there, and again when one of them changes. */
export class Runner {
  readonly #o: RunnerOptions
  readonly #work = new Wakeup()
  readonly #allRendered: Promise<void>
  #finish = () => {}
  #done = false
  readonly #unwritten = new Set<TemplateJob>()
  #cancelRetry = () => {}

  constructor(options: RunnerOptions) {
    this.#o = options
    this.#allRendered = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Resolves when every template has rendered once. */
  allRendered(): Promise<void> {
    return this.#allRendered
  }

  /** The value of that dependency is new. */
  changed(key: string) {
    for (const job of this.#o.jobs) if (job.used.has(key)) job.dirty = true
    this.#work.fire()
  }

  /** For ever; ends by the signal or an AgentFailure. */
  async run(signal: AbortSignal): Promise<never> {
    try {
      for (;;) {
        await this.#pass(signal)
        await this.#work.wait(signal)
      }
    } finally {
      this.#cancelRetry()
    }
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { jobs, dependencies, runCommand, log } = this.#o
    const commands = new Set<string>()
    for (const job of jobs) {
      if (!job.dirty) continue
      job.dirty = false
      const written = await this.#render(job)
      if (written && job.config.command) commands.add(job.config.command)
    }
    dependencies.keepOnly(new Set(jobs.flatMap((job) => [...job.used])))
    for (const command of commands) {
      await runCommand(command, signal).catch((error: unknown) => {
        if (!this.#done || !(error instanceof AgentFailure)) throw error
        log.error(`(runner) ${error.message}`)
      })
    }
    if (jobs.every((job) => job.rendered)) {
      this.#done = true
      this.#finish()
    }
  }

  /** Whether the file changed. */
  async #render(job: TemplateJob): Promise<boolean> {
    const { clock, random, log } = this.#o
    try {
      const outcome = job.execute()
      if ('missing' in outcome) return false
      const { destination, perms, createDirectories } = job.config
      const result = await renderFile(destination, outcome.bytes, { perms, createDirectories, random })
      job.rendered = true
      job.error = undefined
      if (result === 'same') return false
      job.lastChange = clock.now()
      log.info(`(runner) rendered ${JSON.stringify(job.name)} => ${JSON.stringify(destination)}`)
      return true
    } catch (error) {
      this.#failed(job, error)
      return false
    }
  }

  #failed(job: TemplateJob, error: unknown) {
    const { log, clock, exitOnFailure } = this.#o
    const text = explain(job, error)
    job.error = text
    if (!job.rendered && exitOnFailure) throw new AgentFailure(text, { cause: error })
    log.error(`(runner) ${text}`)
    if (error instanceof TemplateError) return
    // A disk that is full may have room again.
    this.#unwritten.add(job)
    this.#cancelRetry()
    this.#cancelRetry = clock.after(retryWriteMs, () => {
      for (const one of this.#unwritten) one.dirty = true
      this.#unwritten.clear()
      this.#work.fire()
    })
  }
}

function explain(job: TemplateJob, error: unknown): string {
  if (error instanceof TemplateError) return error.message
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error'
  return `cannot write ${job.config.destination}: ${code}`
}
