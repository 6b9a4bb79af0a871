/**
 * Whether a history can be explained: for each key there must be one order of its operations, each taking effect at once at
 * some moment between its begin and its end, in which every answer is right (Wing and Gong's search, remembering
 * where it has been, as Lowe and Knossos do). It rules out lost acknowledged writes, lost updates under cas, reads of what
 * was never written or is not there any more. An operation of unknown outcome may take effect at any later moment, or never.
 */
import { describeOperation, type Held, type Operation } from './operation.ts'

export interface Unexplained {
  readonly key: string
  /** The last moment up to which it can be explained, and what then stood, as lines for people. */
  readonly story: readonly string[]
}

/** Above it the search is given up with an error, never with a verdict. */
const maxVisited = 1_000_000

/** undefined: explained. Throws when it can't be decided. */
export function findUnexplained(history: readonly Operation[]): Unexplained | undefined {
  for (const [key, operations] of grouped(history)) {
    const unexplained = searchKey(key, operations)
    if (unexplained) return unexplained
  }
  return undefined
}

function grouped(history: readonly Operation[]): Map<string, Operation[]> {
  const groups = new Map<string, Operation[]>()
  for (const operation of history) groups.set(operation.key, [...(groups.get(operation.key) ?? []), operation])
  return groups
}

/** What stands after `operation` took effect on `held`; 'wrong' when it could not have been answered as it was. */
function after(held: Held | undefined, { asked, told }: Operation): Held | undefined | 'wrong' {
  const unknown = told.kind === 'unknown'
  if (asked.kind === 'read') {
    if (unknown) return held
    const same = told.kind === 'found' && told.held?.version === held?.version && told.held?.value === held?.value
    return same ? held : 'wrong'
  }
  if (asked.kind === 'delete') return unknown || told.kind === 'deleted' ? undefined : 'wrong'
  const version = held?.version ?? 0
  if (asked.cas !== undefined && asked.cas !== version) return unknown || told.kind === 'refused' ? held : 'wrong'
  const written = { version: version + 1, value: asked.value }
  return unknown || (told.kind === 'wrote' && told.version === written.version) ? written : 'wrong'
}

interface Place {
  /** A bit for each operation that has taken effect. */
  readonly done: bigint
  readonly held: Held | undefined
}

function searchKey(key: string, operations: readonly Operation[]): Unexplained | undefined {
  // A read of unknown outcome says nothing.
  const sorted = operations
    .filter(({ asked, told }) => asked.kind !== 'read' || told.kind !== 'unknown')
    .sort((a, b) => a.begin - b.begin)
  const seen = new Set(sorted.map(({ told }) => (told.kind === 'found' ? told.held?.value : undefined)))
  const classes = classesOf(sorted, seen)
  const ends = sorted.map(({ told, end }) => (told.kind === 'unknown' ? Number.POSITIVE_INFINITY : end))
  const visited = new Visited(sorted, seen)
  const places: Place[] = [{ done: 0n, held: undefined }]
  let furthest: { place: Place; bound: number } = {
    place: { done: 0n, held: undefined },
    bound: Number.NEGATIVE_INFINITY,
  }
  for (let place = places.pop(); place; place = places.pop()) {
    const { candidates, bound } = next(sorted, { ends, classes }, place.done)
    if (bound === Number.POSITIVE_INFINITY) return undefined
    if (bound > furthest.bound) furthest = { place, bound }
    // The last is tried first: begin with what ended earliest.
    for (const i of candidates.sort((a, b) => (ends[b] ?? 0) - (ends[a] ?? 0))) {
      const operation = sorted[i]
      const held = operation ? after(place.held, operation) : 'wrong'
      if (held === 'wrong') continue
      // What is unknown and changes nothing may as well not have happened.
      if (operation?.told.kind === 'unknown' && held === place.held) continue
      const done = place.done | (1n << BigInt(i))
      if (!visited.isNew(done, held)) continue
      if (visited.size > maxVisited) throw new Error(`the history of ${key} is too entangled to be judged`)
      places.push({ done, held })
    }
  }
  return { key, story: tell(sorted, furthest) }
}

/**
 * Unknown operations that do the same are as good as one another, so only the first of them that is left is tried. Writes
 * whose values nobody ever saw do the same. Without it ten requests that were cut would be a thousand cases.
 */
function classesOf(sorted: readonly Operation[], seen: ReadonlySet<string | undefined>): (string | undefined)[] {
  return sorted.map(({ asked, told }) => {
    if (told.kind !== 'unknown') return undefined
    if (asked.kind !== 'write') return asked.kind
    return `write ${asked.cas ?? 'over'} ${seen.has(asked.value) ? `as ${asked.value}` : 'unseen'}`
  })
}

/**
 * Where the search has been. Operations of unknown outcome need never happen, so of two ways to the same place the one that
 * used fewer of them can do all that the other can, which is then left out. Values that nobody saw are alike.
 */
class Visited {
  readonly #ways = new Map<string, bigint[]>()
  readonly #optional: bigint
  readonly #seen: ReadonlySet<string | undefined>
  size = 0

  constructor(sorted: readonly Operation[], seen: ReadonlySet<string | undefined>) {
    this.#seen = seen
    this.#optional = sorted.reduce(
      (bits, { told }, i) => (told.kind === 'unknown' ? bits | (1n << BigInt(i)) : bits),
      0n,
    )
  }

  isNew(done: bigint, held: Held | undefined): boolean {
    const used = done & this.#optional
    const value = held && this.#seen.has(held.value) ? `as ${held.value}` : 'unseen'
    const place = `${(done ^ used).toString(36)} ${held ? `${held.version} ${value}` : 'nothing'}`
    const ways = this.#ways.get(place) ?? []
    if (ways.some((way) => (way & ~used) === 0n)) return false
    this.#ways.set(place, [...ways.filter((way) => (used & ~way) !== 0n), used])
    this.size += 1
    return true
  }
}

interface Known {
  readonly ends: readonly number[]
  readonly classes: readonly (string | undefined)[]
}

/** Those that may be next: begun before the first end of what is left. `bound` is that end; infinite when nothing known is left. */
function next(sorted: readonly Operation[], { ends, classes }: Known, done: bigint) {
  const left: number[] = []
  const tried = new Set<string>()
  let bound = Number.POSITIVE_INFINITY
  for (const [i, { begin }] of sorted.entries()) {
    if (begin > bound) break
    if ((done >> BigInt(i)) & 1n) continue
    bound = Math.min(bound, ends[i] ?? bound)
    const same = classes[i]
    if (same !== undefined && tried.has(same)) continue
    if (same !== undefined) tried.add(same)
    left.push(i)
  }
  return { candidates: left.filter((i) => (sorted[i]?.begin ?? bound) <= bound), bound }
}

function tell(sorted: readonly Operation[], { place, bound }: { place: Place; bound: number }): string[] {
  const open = sorted.filter(({ begin }, i) => begin <= bound && !((place.done >> BigInt(i)) & 1n))
  const before = sorted.filter((_, i) => (place.done >> BigInt(i)) & 1n).slice(-8)
  return [
    ...before.map((operation) => `explained: ${describeOperation(operation)}`),
    `then it held ${JSON.stringify(place.held ?? null)}, and none of these can be next:`,
    ...open.map((operation) => `  ${describeOperation(operation)}`),
  ]
}
