/** Starts the roles of `coffer dev` as child processes of the same executable, each with its own log, and ends them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { type ClusterToLeave, signalGroup } from './janitor.ts'

/** What a child sends when it serves; other members depend on the role. */
export interface ReadyMessage {
  readonly type: 'ready'
  readonly address?: string
  readonly kubeconfig?: string
  readonly isolation?: string
}

export interface Child {
  readonly name: string
  readonly ready: ReadyMessage
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when it is gone. */
  stop(graceMs?: number): Promise<void>
}

/** A part that failed: which, how, its last lines and where the rest is. */
export class ChildFailed extends Error {
  override name = 'ChildFailed'
}

export interface SupervisorOptions {
  readonly dir: string
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told of each child's end that nobody asked for. */
  onDeath(name: string, report: string): void
}

const isReady = (message: unknown): message is ReadyMessage =>
  typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready'

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #janitor: ChildProcess
  readonly #children = new Set<Child>()
  /** Started, not yet ready: a stop ends these too. */
  readonly #starting = new Set<ChildProcess>()
  #stopping = false

  constructor(options: SupervisorOptions) {
    this.#options = options
    mkdirSync(join(options.dir, 'logs'), { recursive: true, mode: 0o700 })
    this.#janitor = this.#spawn(['dev', 'janitor', options.dir], ['pipe', 'ignore', 'ignore'])
    this.#janitor.unref()
    // A dead janitor costs only the clean-up after SIGKILL; the run itself goes on.
    this.#janitor.stdin?.on('error', () => {})
  }

  /** Resolves when the child says that it serves; rejects with ChildFailed when it ends before or takes longer than `withinMs`. */
  async start(name: string, args: readonly string[], withinMs = 30_000): Promise<Child> {
    if (this.#stopping) throw new ChildFailed(`${name}: not started, the run is ending`)
    const logFile = join(this.#options.dir, 'logs', `${name}.log`)
    const log = openSync(logFile, 'a', 0o600)
    const process = this.#spawn(args, ['ignore', log, log, 'ipc'])
    closeSync(log)
    this.#janitor.stdin?.write(`pid ${process.pid}\n`)
    const exited = new Promise<string>((resolve) => {
      process.on('error', (error) => resolve(error.message))
      process.on('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit status ${code}`))
    })
    this.#starting.add(process)
    const ready = await this.#waitReady(name, process, exited, withinMs).finally(() => this.#starting.delete(process))
    let stopping = false
    const child: Child = {
      name,
      ready,
      stop: async (graceMs = 12_000) => {
        stopping = true
        this.#children.delete(child)
        if (process.exitCode === null && process.signalCode === null) process.kill('SIGTERM')
        const cancel = this.#options.clock.after(graceMs, () => signalGroup(process.pid ?? 0, 'SIGKILL'))
        await exited
        cancel()
      },
    }
    this.#children.add(child)
    void exited.then((how) => {
      if (stopping) return
      this.#children.delete(child)
      this.#options.onDeath(name, this.report(name, how))
    })
    return child
  }

  /** What is to be removed from a cluster if we are killed. */
  tellJanitor(cluster: ClusterToLeave): void {
    this.#janitor.stdin?.write(`cluster ${JSON.stringify(cluster)}\n`)
  }

  /** The reverse of the order of starting: what uses a part ends before it. `lastly` is done when all parts have ended. */
  async stop(lastly: () => Promise<void>): Promise<void> {
    this.#stopping = true
    for (const process of this.#starting) signalGroup(process.pid ?? 0, 'SIGKILL')
    for (const child of [...this.#children].reverse()) await child.stop()
    await lastly()
    const gone = new Promise((resolve) => this.#janitor.once('exit', resolve))
    this.#janitor.ref()
    this.#janitor.stdin?.end('done\n')
    if (this.#janitor.exitCode === null) await gone
  }

  /** "server: exit status 1", its last ten log lines, where the rest is. */
  report(name: string, how: string): string {
    const logFile = join(this.#options.dir, 'logs', `${name}.log`)
    let tail: string[] = []
    try {
      tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-10)
    } catch {
      // It never wrote a line.
    }
    return [`${name}: ${how}`, ...tail.map((line) => `    ${line}`), `  the whole log: ${logFile}`].join('\n')
  }

  #spawn(args: readonly string[], stdio: ('ignore' | 'pipe' | 'ipc' | number)[]): ChildProcess {
    const [, script = ''] = process.argv
    // Each child leads a group of its own, so that Ctrl-C reaches only us and they end in our order.
    return spawn(process.execPath, [...process.execArgv, script, ...args], {
      stdio,
      detached: true,
      env: { ...this.#options.env, COFFER_SUPERVISED: '1' },
    })
  }

  async #waitReady(
    name: string,
    process: ChildProcess,
    exited: Promise<string>,
    withinMs: number,
  ): Promise<ReadyMessage> {
    const deadline = new AbortController()
    const outcome = await Promise.race([
      new Promise<ReadyMessage>((resolve) => process.on('message', (message) => isReady(message) && resolve(message))),
      exited,
      this.#options.clock.sleep(withinMs, deadline.signal).then(
        () => `not ready after ${withinMs / 1000} s`,
        () => 'cancelled',
      ),
    ])
    deadline.abort(new Error('decided'))
    if (typeof outcome !== 'string') return outcome
    signalGroup(process.pid ?? 0, 'SIGKILL')
    throw new ChildFailed(this.report(name, outcome))
  }
}
