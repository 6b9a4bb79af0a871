/** Work in lanes: so much at once in all, and of one group only a share, so that one that hangs holds up no other. */

interface Group {
  readonly queue: { readonly name: string; readonly run: () => Promise<boolean> }[]
  running: number
}

const maxRunning = 16
const maxPerGroup = 4
const maxQueued = 256
const maxRemembered = 1000

export class Lanes {
  readonly #groups = new Map<string, Group>()
  readonly #names = new Set<string>()
  /** Groups whose last piece failed: they get one lane until one succeeds. */
  readonly #failing = new Set<string>()
  #running = 0
  #waiting: (() => void)[] = []

  /** False when it is under way already or its group has enough to do. `run` says whether it went well, and never rejects. */
  offer(group: string, name: string, run: () => Promise<boolean>): boolean {
    if (this.#names.has(name)) return false
    const found = this.#groups.get(group) ?? { queue: [], running: 0 }
    if (found.queue.length >= maxQueued) return false
    this.#groups.set(group, found)
    this.#names.add(name)
    found.queue.push({ name, run })
    this.#pump()
    return true
  }

  /** Resolves when nothing is queued or under way. */
  idle(): Promise<void> {
    if (this.#names.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #pump(): void {
    for (let started = true; started && this.#running < maxRunning; ) {
      started = false
      for (const [name, group] of [...this.#groups]) {
        if (this.#running >= maxRunning || !this.#startOne(name, group)) continue
        started = true
        // To the end of the line.
        this.#groups.delete(name)
        this.#groups.set(name, group)
      }
    }
  }

  #startOne(name: string, group: Group): boolean {
    if (group.running >= (this.#failing.has(name) ? 1 : maxPerGroup)) return false
    const next = group.queue.shift()
    if (!next) return false
    group.running += 1
    this.#running += 1
    void next.run().then((well) => this.#ended(name, group, next.name, well))
    return true
  }

  #ended(name: string, group: Group, piece: string, well: boolean): void {
    group.running -= 1
    this.#running -= 1
    this.#names.delete(piece)
    this.#failing.delete(name)
    if (!well) this.#failing.add(name)
    const [oldest] = this.#failing
    if (this.#failing.size > maxRemembered && oldest !== undefined) this.#failing.delete(oldest)
    if (group.running === 0 && group.queue.length === 0) this.#groups.delete(name)
    this.#pump()
    if (this.#names.size > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
