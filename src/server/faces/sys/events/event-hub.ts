/** Notices of changes, to whoever in this process listens. */
import { type RandomBytes, uuid } from '../../../../lib/random.ts'
import type { EventSink, ServerEvent } from '../../../contracts/mounted.ts'

export interface PublishedEvent extends ServerEvent {
  readonly id: string
}

export class EventHub implements EventSink {
  readonly #random: RandomBytes
  readonly #listeners = new Set<(event: PublishedEvent) => void>()

  constructor(options: { random: RandomBytes }) {
    this.#random = options.random
  }

  get listened(): boolean {
    return this.#listeners.size > 0
  }

  publish(event: ServerEvent): void {
    if (!this.listened) return
    const published = { ...event, id: uuid(this.#random) }
    for (const listener of this.#listeners) listener(published)
  }

  /** The returned function ends it. */
  subscribe(listener: (event: PublishedEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
