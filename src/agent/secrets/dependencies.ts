import type { Value } from '../../gotemplate/value.ts'
import type { SecretLookup } from '../functions/table.ts'
import { linkedAbort } from '../linked-abort.ts'
import { Dependency, type DependencyOptions } from './dependency.ts'
import { listRequest, type SecretRequest, secretRequest } from './request.ts'

export interface DependenciesOptions extends Omit<DependencyOptions, 'onValue'> {
  readonly onValue: (key: string) => void
  /** A dependency cannot go on: an AgentFailure, or a fault of ours. */
  readonly onFailure: (error: unknown) => void
}

/** What one execution of a template asked for. */
export interface Uses {
  readonly used: ReadonlySet<string>
  readonly missing: ReadonlySet<string>
}

/** All secrets that the templates use, each fetched once however many use it. */
export class Dependencies {
  readonly #o: DependenciesOptions
  readonly #signal: AbortSignal
  readonly #all = new Map<string, { dependency: Dependency; stop: (reason: Error) => void }>()

  constructor(options: DependenciesOptions, signal: AbortSignal) {
    this.#o = options
    this.#signal = signal
  }

  /** Starts to fetch what isn't known yet; `uses` fills while the template runs. */
  lookup(): { lookup: SecretLookup; uses: Uses } {
    const used = new Set<string>()
    const missing = new Set<string>()
    const recall = (request: SecretRequest): Value => {
      used.add(request.key)
      const { value } = this.#get(request)
      if (value === undefined) missing.add(request.key)
      return value
    }
    const lookup = {
      secret: (path: string, parameters: readonly string[]) => recall(secretRequest(path, parameters)),
      secrets: (path: string) => recall(listRequest(path)) ?? [],
    }
    return { lookup, uses: { used, missing } }
  }

  state(key: string): Dependency['state'] | undefined {
    return this.#all.get(key)?.dependency.state
  }

  pokeAll() {
    for (const { dependency } of this.#all.values()) dependency.poke()
  }

  pokeAbout(path: string, mountPath: string) {
    for (const { dependency } of this.#all.values()) if (dependency.isAbout(path, mountPath)) dependency.poke()
  }

  hasKv2(): boolean {
    return [...this.#all.values()].some(({ dependency }) => dependency.mount?.kv2)
  }

  /** Stops what no template uses any more. */
  keepOnly(used: ReadonlySet<string>) {
    for (const [key, { stop }] of this.#all) {
      if (used.has(key)) continue
      stop(new Error('no template uses it any more'))
      this.#all.delete(key)
    }
  }

  #get(request: SecretRequest): Dependency {
    const known = this.#all.get(request.key)
    if (known) return known.dependency
    const dependency = new Dependency(request, { ...this.#o, onValue: () => this.#o.onValue(request.key) })
    const { signal, stop } = linkedAbort(this.#signal)
    this.#all.set(request.key, { dependency, stop })
    dependency.run(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#o.onFailure(error)
    })
    return dependency
  }
}
