/** The other nodes of the cluster: with one that is ready a scheduler decides where pods go, not we. */
import type { KubeClient } from '../../../../kube/client.ts'
import { type Node, nodes } from '../../../../kube/object-types.ts'
import { isolationLabel } from './node-registration.ts'

export interface NeighboursOptions {
  readonly client: Pick<KubeClient, 'watch'>
  readonly ownName: string
  /** Somebody else became ready, or the last one ceased to be. */
  changed(): void
  /** Our own Node, when somebody (the node lifecycle controller, after a silence) made it not ready; undefined: it was deleted. */
  ownLost(node: Node | undefined): void
}

export class Neighbours {
  readonly #options: NeighboursOptions
  readonly #ready = new Set<string>()

  constructor(options: NeighboursOptions) {
    this.#options = options
  }

  get anyReady(): boolean {
    return this.#ready.size > 0
  }

  /** Until `signal` aborts; `synced` is called when all nodes are known. */
  async follow(signal: AbortSignal, synced: () => void): Promise<void> {
    const { client, ownName } = this.#options
    for await (const event of client.watch(nodes, {}, signal)) {
      if (event.type === 'synced') {
        synced()
        continue
      }
      const node = event.object
      const gone = event.type === 'deleted'
      if (node.metadata.name === ownName) this.#own(gone ? undefined : node)
      else this.#other(node, gone)
    }
  }

  #own(node: Node | undefined): void {
    if (!node || !isReady(node)) this.#options.ownLost(node)
  }

  #other(node: Node, gone: boolean): void {
    const before = this.anyReady
    // Other pod runners take only what is meant for them.
    const counts = !gone && isReady(node) && node.metadata.labels?.[isolationLabel] === undefined
    const name = node.metadata.name ?? ''
    if (counts) this.#ready.add(name)
    else this.#ready.delete(name)
    if (before !== this.anyReady) this.#options.changed()
  }
}

export const isReady = (node: Node) =>
  node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true
