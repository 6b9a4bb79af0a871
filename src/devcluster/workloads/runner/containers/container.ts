/** One container of a pod: started, watched, started again, ended. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container as ContainerSpec } from 'kubernetes-types/core/v1.d.ts'
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import { ConfigProblem } from '../config-problem.ts'
import { commandLine, type EnvironmentSources, resolveEnvironment } from '../environment.ts'
import { findImage, type ImageMap, type ImageProgram } from '../images.ts'
import type { ContainerMount, Isolation, Launch, Provided } from '../isolation/isolation.ts'
import type { ContainerRecord, ContainerState, Terminated } from '../pod-status.ts'
import type { PodVolumes } from '../volumes/pod-volumes.ts'
import { ContainerLog } from './container-log.ts'
import { type RunningProcess, startProcess } from './container-process.ts'
import { RestartDelay } from './restart-delay.ts'

export interface ContainerContext {
  readonly spec: ContainerSpec
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  readonly images: ImageMap
  readonly isolation: Isolation
  readonly provided: Provided
  readonly baseEnv: Readonly<Record<string, string>>
  readonly sources: EnvironmentSources
  readonly volumes: PodVolumes
  readonly dir: string
  readonly logDir: string
  readonly clock: Clock
  readonly log: Logger
  /** The record is another one now. */
  readonly changed: () => void
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void
  readonly restartCount: number
}

interface Live {
  readonly process: RunningProcess
  readonly launch: Launch
}

/** A setup that failed is tried again after this; what was missing may be there by then. */
const retrySetupMs = 2000

export class Container {
  readonly #context: ContainerContext
  readonly #delay = new RestartDelay()
  readonly #logs: ContainerLog[] = []
  #live: Live | undefined
  #state: ContainerState = { waiting: { reason: 'PodInitializing' } }
  #lastTerminated: Terminated | undefined
  #restartCount: number
  #id = ''
  #stopping = false

  constructor(context: ContainerContext, waitingFor: 'PodInitializing' | 'ContainerCreating') {
    this.#context = context
    this.#restartCount = context.restartCount
    this.#state = { waiting: { reason: waitingFor } }
  }

  get record(): ContainerRecord {
    return {
      name: this.#context.spec.name,
      image: this.#context.spec.image ?? '',
      id: this.#id,
      state: this.#state,
      ...(this.#lastTerminated ? { lastTerminated: this.#lastTerminated } : {}),
      restartCount: this.#restartCount,
    }
  }

  /** Of the run that is on, or of the one before it; undefined: there was none. */
  log(previous: boolean): ContainerLog | undefined {
    return this.#logs.at(previous ? -2 : -1)
  }

  /**
   * Runs the container as its restart policy says; an init container (`untilSuccess`) until it ended well. Resolves with
   * the last exit code; rejects with the signal's reason when that aborts while it waits.
   */
  async run(signal: AbortSignal, untilSuccess: boolean): Promise<number> {
    for (;;) {
      const code = await this.#runOnce(signal)
      if (this.#stopping || signal.aborted) return code
      const { restartPolicy } = this.#context
      const again = restartPolicy !== 'Never' && (code !== 0 || (restartPolicy === 'Always' && !untilSuccess))
      if (!again) return code
      await this.#backOff(signal)
    }
  }

  /** Instead of `run`. */
  refuse(reason: string, message: string): void {
    this.#set({ waiting: { reason, message } })
  }

  /** preStop, SIGTERM, and SIGKILL when `graceMs` is over; resolves when it has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    const live = this.#live
    if (!live) return
    const { clock, spec, event } = this.#context
    const startedAt = clock.monotonic()
    event('Normal', 'Killing', `Stopping container ${spec.name}`)
    await this.#preStop(live, graceMs)
    live.process.signal('SIGTERM')
    const cancel = clock.after(Math.max(0, graceMs - (clock.monotonic() - startedAt)), () =>
      live.process.signal('SIGKILL'),
    )
    await live.process.exited
    cancel()
  }

  /** The patience of whoever asked for the end is over. */
  kill(): void {
    this.#live?.process.signal('SIGKILL')
  }

  async close(): Promise<void> {
    await Promise.all(this.#logs.map((log) => log.close()))
  }

  async #runOnce(signal: AbortSignal): Promise<number> {
    const { clock } = this.#context
    const live = await this.#startUntilItWorks(signal)
    const startedAtMs = clock.now()
    const began = clock.monotonic()
    this.#live = live
    this.#id = `process://${live.process.pid}`
    this.#set({ running: { startedAtMs } })
    // Told to stop between its start and now.
    if (this.#stopping) live.process.signal('SIGKILL')
    const exitCode = await live.process.exited
    this.#live = undefined
    this.#logs.at(-1)?.end()
    if (clock.monotonic() - began > RestartDelay.healthyMs) this.#delay.reset()
    const reason = exitCode === 0 ? 'Completed' : 'Error'
    this.#set({ terminated: { exitCode, reason, startedAtMs, finishedAtMs: clock.now() } })
    return exitCode
  }

  async #backOff(signal: AbortSignal): Promise<void> {
    const { clock, spec, event } = this.#context
    if ('terminated' in this.#state) this.#lastTerminated = this.#state.terminated
    const ms = this.#delay.next()
    const message = `back-off ${Math.max(1, Math.round(ms / 1000))}s restarting failed container=${spec.name}`
    this.#set({ waiting: { reason: 'CrashLoopBackOff', message } })
    event('Warning', 'BackOff', `Back-off restarting failed container ${spec.name}`)
    await clock.sleep(ms, signal)
    this.#restartCount += 1
  }

  async #startUntilItWorks(signal: AbortSignal): Promise<Live> {
    for (;;) {
      signal.throwIfAborted()
      try {
        return await this.#start()
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        const reason = error instanceof MissingImage ? 'ErrImagePull' : configReason(error)
        this.#context.event('Warning', 'Failed', `Error: ${message}`)
        this.#set({ waiting: { reason, message } })
      }
      await this.#context.clock.sleep(retrySetupMs, signal)
    }
  }

  async #start(): Promise<Live> {
    const { spec, images, isolation, event, dir, logDir, log } = this.#context
    const image = findImage(images, spec.image ?? '')
    if (!image) throw new MissingImage(`no program is mapped to the image "${spec.image}": add it to the image map`)
    const env = await this.#environment(image)
    const command = commandLine(spec, image, env)
    if (command.length === 0) throw new ConfigProblem(`the image "${spec.image}" has no command`)
    await rm(dir, { recursive: true, force: true })
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const launch = await isolation.prepare({
      dir,
      command,
      env,
      workingDir: spec.workingDir || (image.workingDir ?? '/'),
      mounts: await this.#mounts(image),
      readOnlyRoot: spec.securityContext?.readOnlyRootFilesystem === true,
    })
    await mkdir(logDir, { recursive: true, mode: 0o700 })
    const output = await ContainerLog.create(join(logDir, `${this.#restartCount}.log`))
    this.#logs.push(output)
    // The current run's and the one before are kept, as `kubectl logs --previous` needs.
    await this.#logs.splice(0, this.#logs.length - 2)[0]?.close()
    event('Normal', 'Pulled', `Container image "${spec.image}" already present on machine`)
    event('Normal', 'Created', `Created container: ${spec.name}`)
    const process = startProcess(launch, (chunk) => output.write(chunk))
    event('Normal', 'Started', `Started container ${spec.name}`)
    log.info('container.started', { container: spec.name, pid: process.pid, restarts: this.#restartCount })
    return { process, launch }
  }

  #environment(image: ImageProgram): Promise<Record<string, string>> {
    const { spec, baseEnv, sources, provided } = this.#context
    const base = { HOME: '/root', ...baseEnv, ...image.env, COFFER_NODE: provided.node }
    return resolveEnvironment(spec, base, sources)
  }

  async #mounts(image: ImageProgram): Promise<ContainerMount[]> {
    const mounts: ContainerMount[] = Object.entries(image.mounts).map(([containerPath, hostPath]) => ({
      containerPath: cleanPath(containerPath),
      hostPath,
      readOnly: true,
    }))
    for (const mount of this.#context.spec.volumeMounts ?? []) {
      const hostPath = await this.#context.volumes.source(mount)
      mounts.push({ containerPath: cleanPath(mount.mountPath), hostPath, readOnly: mount.readOnly === true })
    }
    return mounts
  }

  /** It has the whole grace period, as with the kubelet; its failure stops nothing. */
  async #preStop(live: Live, graceMs: number): Promise<void> {
    const command = this.#context.spec.lifecycle?.preStop?.exec?.command
    if (!command?.length || graceMs <= 0) return
    const { clock, isolation, event, spec } = this.#context
    try {
      const launch = await isolation.enter(live.launch, live.process.pid, command)
      const hook = startProcess(launch, (chunk) => this.#logs.at(-1)?.write(chunk))
      const cancel = clock.after(graceMs, () => hook.signal('SIGKILL'))
      const code = await Promise.race([hook.exited, live.process.exited.then(() => 0)])
      cancel()
      hook.signal('SIGKILL')
      if (code !== 0) event('Warning', 'FailedPreStopHook', `PreStopHook of ${spec.name} ended with ${code}`)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      event('Warning', 'FailedPreStopHook', `PreStopHook of ${spec.name}: ${message}`)
    }
  }

  #set(state: ContainerState): void {
    this.#state = state
    this.#context.changed()
  }
}

class MissingImage extends Error {}

const configReason = (error: unknown) =>
  error instanceof ConfigProblem ? 'CreateContainerConfigError' : 'CreateContainerError'

/** Absolute, without an end slash; the API server has checked the rest. */
function cleanPath(path: string): string {
  const clean = `/${path}`.replace(/\/+/g, '/').replace(/\/$/, '')
  if (clean === '' || clean.split('/').includes('..')) throw new ConfigProblem(`cannot mount at ${path}`)
  return clean
}
