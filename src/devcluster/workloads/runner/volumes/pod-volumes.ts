import { chmod, mkdir, realpath, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Volume, VolumeMount } from 'kubernetes-types/core/v1.d.ts'
import type { KubeClient } from '../../../../kube/client.ts'
import { type Pod, serviceAccounts, type TokenRequest } from '../../../../kube/object-types.ts'
import type { Clock } from '../../../../lib/clock.ts'
import type { Logger } from '../../../../lib/log.ts'
import type { RandomBytes } from '../../../../lib/random.ts'
import { ConfigProblem } from '../config-problem.ts'
import type { EnvironmentSources } from '../environment.ts'
import { AtomicVolume } from './atomic-volume.ts'
import { volumeContent } from './volume-content.ts'

export interface PodVolumesOptions {
  readonly dir: string
  readonly client: Pick<KubeClient, 'post'>
  readonly sources: EnvironmentSources
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: Logger
}

interface HeldToken {
  readonly token: string
  readonly refreshAtMs: number
}

/** The kubelet asks for a new token when this part of the old one's life is over. */
const refreshPart = 0.8
const retryMs = 10_000

/** The folders of one pod's volumes, and what keeps them current. */
export class PodVolumes {
  readonly #options: PodVolumesOptions
  readonly #volumes: readonly Volume[]
  readonly #atomic = new Map<string, AtomicVolume>()
  readonly #tokens = new Map<string, HeldToken>()
  #busy: Promise<void> = Promise.resolve()
  #cancelTimer: () => void = () => {}
  #ended = false

  constructor(options: PodVolumesOptions) {
    this.#options = options
    this.#volumes = options.sources.pod.spec?.volumes ?? []
  }

  /** Throws ConfigProblem when something that is named is not there (yet). */
  async setUp(): Promise<void> {
    await mkdir(this.#options.dir, { recursive: true, mode: 0o700 })
    for (const volume of this.#volumes) {
      const dir = join(this.#options.dir, volume.name)
      await mkdir(dir, { recursive: true })
      await chmod(dir, volume.emptyDir ? 0o777 : 0o755)
      if (!volume.emptyDir && !this.#atomic.has(volume.name)) {
        this.#atomic.set(volume.name, new AtomicVolume({ ...this.#options, dir }))
      }
    }
    // Never beside a refresh: both would change the same links.
    const written = this.#busy.then(() => this.#writeAll(this.#options.sources.pod))
    this.#busy = written.catch(() => {})
    await written
  }

  /** The pod's metadata changed, or an object that it names: writes what is new. Failures are logged and tried again. */
  refresh(pod: Pod): Promise<void> {
    this.#busy = this.#busy.then(async () => {
      if (this.#ended) return
      try {
        await this.#writeAll(pod)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        this.#options.log.warn('pod.volume_refresh_failed', { pod: pod.metadata.name, error: why })
        this.#schedule(pod, retryMs)
      }
    })
    return this.#busy
  }

  /** Whether one of the volumes is made from this object. */
  uses(kind: 'Secret' | 'ConfigMap', name: string): boolean {
    return this.#volumes.some((volume) =>
      [volume, ...(volume.projected?.sources ?? [])].some((part) =>
        kind === 'ConfigMap' ? part.configMap?.name === name : secretNameOf(part.secret) === name,
      ),
    )
  }

  /** The host's path of a mount. A sub path of files that change is fixed at this moment, as with the kubelet. */
  async source(mount: VolumeMount): Promise<string> {
    const volume = this.#volumes.find((candidate) => candidate.name === mount.name)
    if (!volume) throw new ConfigProblem(`volumeMounts names a volume that does not exist: ${mount.name}`)
    const dir = join(this.#options.dir, volume.name)
    if (!mount.subPath) return dir
    const parts = mount.subPath.split('/')
    if (mount.subPath.startsWith('/') || parts.includes('..'))
      throw new ConfigProblem(`invalid subPath: ${mount.subPath}`)
    if (volume.emptyDir) await mkdir(join(dir, ...parts), { recursive: true })
    let found: string
    try {
      found = await realpath(join(dir, ...parts))
    } catch {
      throw new ConfigProblem(`subPath ${mount.subPath} does not exist in volume ${mount.name}`)
    }
    if (!`${found}${sep}`.startsWith(`${await realpath(dir)}${sep}`)) {
      throw new ConfigProblem(`subPath ${mount.subPath} leads out of volume ${mount.name}`)
    }
    return found
  }

  async remove(): Promise<void> {
    this.#ended = true
    this.#cancelTimer()
    await this.#busy
    await rm(this.#options.dir, { recursive: true, force: true })
  }

  async #writeAll(pod: Pod): Promise<void> {
    const sources = {
      ...this.#options.sources,
      pod,
      token: (request: { audience: string | undefined; expirationSeconds: number }) => this.#token(pod, request),
    }
    for (const volume of this.#volumes) {
      const atomic = this.#atomic.get(volume.name)
      if (!atomic) continue
      try {
        await atomic.write(await volumeContent(volume, sources))
      } catch (error) {
        if (!(error instanceof ConfigProblem)) throw error
        throw new ConfigProblem(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`)
      }
    }
    const next = Math.min(...[...this.#tokens.values()].map((held) => held.refreshAtMs))
    if (Number.isFinite(next)) this.#schedule(pod, Math.max(1000, next - this.#options.clock.now()))
  }

  #schedule(pod: Pod, ms: number): void {
    this.#cancelTimer()
    if (!this.#ended) this.#cancelTimer = this.#options.clock.after(ms, () => void this.refresh(pod))
  }

  async #token(pod: Pod, request: { audience: string | undefined; expirationSeconds: number }): Promise<string> {
    const key = JSON.stringify(request)
    const now = this.#options.clock.now()
    const held = this.#tokens.get(key)
    if (held && now < held.refreshAtMs) return held.token
    const { name = '', namespace = '', uid = '' } = pod.metadata
    const ref = { namespace, name: pod.spec?.serviceAccountName ?? 'default' }
    const answer = await this.#options.client.post<TokenRequest>(serviceAccounts, ref, 'token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: {
        audiences: request.audience === undefined ? [] : [request.audience],
        expirationSeconds: request.expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    })
    const token = answer.status?.token
    const until = Date.parse(String(answer.status?.expirationTimestamp))
    if (!token || Number.isNaN(until)) throw new Error('the API server answered a TokenRequest without a token')
    this.#tokens.set(key, { token, refreshAtMs: now + (until - now) * refreshPart })
    return token
  }
}

/** A volume says secretName, a projection name. */
const secretNameOf = (source: { secretName?: string; name?: string } | undefined) => source?.secretName ?? source?.name
