/** Logs in as the pod, renders files, keeps them and the token fresh: Vault Agent's job, by its configuration and its log. */
import { setMaxListeners } from 'node:events'
import { unlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import type { RandomBytes } from '../lib/random.ts'
import { VaultClient } from '../sdk/client.ts'
import type { AuthInfo } from '../sdk/envelope.ts'
import type { ConnectSocket } from '../sdk/events.ts'
import type { Transport } from '../sdk/transport.ts'
import { runAutoAuth } from './auth/auto-auth.ts'
import { FileSink } from './auth/file-sink.ts'
import { TokenHolder } from './auth/token-holder.ts'
import type { AgentConfig } from './config/agent-config.ts'
import { AgentFailure } from './failure.ts'
import type { AgentLog } from './log.ts'
import { Outage } from './outage.ts'
import { type RunCommand, runShell } from './render/command.ts'
import { Runner } from './render/runner.ts'
import { loadJob, type TemplateJob } from './render/template-job.ts'
import { ChangeFeed } from './secrets/change-feed.ts'
import { Dependencies } from './secrets/dependencies.ts'
import { Mounts } from './secrets/mounts.ts'
import { agentStatus } from './status.ts'
import { type ListenAt, serveStatus } from './status-server.ts'

export interface AgentOptions {
  readonly config: AgentConfig
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: AgentLog
  readonly transport: Transport
  /** Absent: no change notices, secrets are read at the interval. */
  readonly connect?: ConnectSocket
  readonly runCommand?: RunCommand
}

/** Resolves when the work is done (exit_after_auth), the signal fires or somebody asks it to quit; rejects with AgentFailure. */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const agent = new Agent(options)
  try {
    await agent.run(signal)
  } finally {
    await agent.close()
  }
}

class Agent {
  readonly #o: AgentOptions
  readonly #stop = new AbortController()
  readonly #tokens: TokenHolder
  readonly #outage: Outage
  readonly #client: VaultClient
  readonly #dependencies: Dependencies
  readonly #feed: ChangeFeed
  readonly #closers: (() => Promise<void>)[] = []
  /** Ends with #stop. */
  readonly #work = new Set<Promise<unknown>>()
  #runner: Runner | undefined
  #jobs: readonly TemplateJob[] = []
  #sinks: readonly FileSink[] = []
  #end: { resolve: () => void; reject: (error: unknown) => void } | undefined

  constructor(options: AgentOptions) {
    this.#o = options
    // One listener for each secret: ten are no sign of a leak here.
    setMaxListeners(0, this.#stop.signal)
    const { clock, config, log, random, transport } = options
    const { namespace, address } = config.server
    this.#tokens = new TokenHolder({ clock })
    this.#outage = new Outage({ clock, log })
    this.#client = new VaultClient({ transport, clock, address, maxRetries: 0, ...(namespace ? { namespace } : {}) })
    this.#dependencies = new Dependencies(
      {
        client: this.#client,
        tokens: this.#tokens,
        mounts: new Mounts({ client: this.#client }),
        outage: this.#outage,
        clock,
        random,
        log,
        role: config.method.role,
        staticIntervalMs: config.templating.staticIntervalMs,
        leaseThreshold: config.templating.leaseThreshold,
        attempts: config.server.attempts,
        failFast: config.exitAfterAuth,
        exitOnFailure: config.templating.exitOnRetryFailure,
        onValue: (key) => this.#onValue(key),
        onFailure: (error) => this.#end?.reject(error),
      },
      this.#stop.signal,
    )
    this.#feed = new ChangeFeed({ log, dependencies: this.#dependencies })
  }

  async run(signal: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    // Nobody may be waiting yet when it fails.
    ended.catch(() => undefined)
    const onStop = () => this.#end?.resolve()
    if (signal.aborted) return
    signal.addEventListener('abort', onStop, { once: true })
    this.#closers.push(async () => signal.removeEventListener('abort', onStop))
    await this.#prepare()
    this.#start()
    await ended
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the agent ends'))
    // A file half written and a command that runs still belong to it.
    await Promise.allSettled(this.#work)
    for (const close of this.#closers.reverse()) await close().catch(() => undefined)
  }

  /** All that can be found wrong without the server. */
  async #prepare(): Promise<void> {
    const { config, clock, env, log, random } = this.#o
    await this.#writePidFile()
    this.#sinks = config.sinks.map((c) => new FileSink({ config: c, clock, random, log: log.named('sink.file') }))
    for (const sink of this.#sinks) await sink.prepare()
    const dependencies = this.#dependencies
    this.#jobs = await Promise.all(config.templates.map((c) => loadJob({ config: c, dependencies, env, clock })))
    await this.#listen()
  }

  #start() {
    const { config, clock, log, random, runCommand = runShell } = this.#o
    const { signal } = this.#stop
    this.#runner = new Runner({
      jobs: this.#jobs,
      dependencies: this.#dependencies,
      clock,
      random,
      log,
      runCommand,
      exitOnFailure: config.templating.exitOnRetryFailure || config.exitAfterAuth,
    })
    log.named('template.server').info('starting template server')
    this.#watch(
      runAutoAuth(
        {
          method: config.method,
          client: this.#client,
          holder: this.#tokens,
          outage: this.#outage,
          clock,
          random,
          log: log.named('auth.handler'),
          failFast: config.exitAfterAuth,
          onToken: (auth) => this.#onToken(auth),
        },
        signal,
      ),
    )
    this.#watch(this.#runner.run(signal))
  }

  /** Work that runs until the agent ends; what it fails with ends the agent. */
  #watch(work: Promise<unknown>) {
    const watched = work
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#end?.reject(error)
      })
      .finally(() => this.#work.delete(watched))
    this.#work.add(watched)
  }

  #onToken(auth: AuthInfo) {
    const { signal } = this.#stop
    const written = Promise.all(this.#sinks.map((sink) => sink.write(auth.client_token, signal)))
    this.#watch(written)
    if (!this.#o.config.exitAfterAuth) return
    Promise.all([written, this.#runner?.allRendered()]).then(
      () => {
        this.#o.log.info('sinks written and templates rendered, ending')
        this.#end?.resolve()
      },
      // #watch has told.
      () => undefined,
    )
  }

  #onValue(key: string) {
    this.#runner?.changed(key)
    const { connect, config, clock, random } = this.#o
    if (!connect || config.exitAfterAuth || this.#feed.state !== 'off' || !this.#dependencies.hasKv2()) return
    const { namespace } = config.server
    const token = () => this.#tokens.current
    const { signal } = this.#stop
    this.#watch(this.#feed.run({ connect, token, clock, random, signal, ...(namespace ? { namespace } : {}) }))
  }

  async #writePidFile(): Promise<void> {
    const { pidFile } = this.#o.config
    if (!pidFile) return
    try {
      await writeFile(pidFile, String(process.pid), { mode: 0o600 })
    } catch (cause) {
      throw new AgentFailure(`cannot write the pid file ${pidFile}`, { cause })
    }
    this.#closers.push(() => unlink(pidFile))
  }

  /** A listener that was asked for must work; the socket beside the pid file is an extra, without which files still render. */
  async #listen(): Promise<void> {
    const { config, log } = this.#o
    const status = () => agentStatus({ ...this.#parts(), jobs: this.#jobs, clock: this.#o.clock })
    const quit = () => this.#end?.resolve()
    for (const { host, port, enableQuit } of config.listeners) {
      this.#closers.push(await serveStatus({ host, port }, { status, ...(enableQuit ? { quit } : {}) }))
    }
    const at: ListenAt = { socketPath: join(config.pidFile ? dirname(config.pidFile) : '/home/vault', 'agent.sock') }
    try {
      this.#closers.push(await serveStatus(at, { status }))
    } catch (error) {
      const fields = { error: error instanceof Error ? error.message : 'unknown error' }
      // Without a pid file nobody said where; socket paths end at 107 bytes.
      if (config.pidFile) log.warn('no status socket', fields)
      else log.debug('no status socket', fields)
    }
  }

  #parts() {
    return { tokens: this.#tokens, outage: this.#outage, feed: this.#feed, dependencies: this.#dependencies }
  }
}
