import { compareUtf8 } from '../../lib/json/stringify.ts'

/** A path with wildcards: a trailing `*`, segments `+`, or both. */
export interface Pattern {
  readonly text: string
  /** Without the trailing `*`. */
  readonly stem: string
  readonly isPrefix: boolean
  readonly firstWildcard: number
  readonly plusSegments: number
}

/** Undefined for a path that means only itself. */
export function readPattern(text: string): Pattern | undefined {
  const isPrefix = text.endsWith('*')
  const stem = isPrefix ? text.slice(0, -1) : text
  // A segment that only begins with '+' makes a pattern too, without being a wildcard: so does Vault.
  const hasPlus = text === '+' || text.startsWith('+/') || text.includes('/+')
  if (!isPrefix && !hasPlus) return undefined
  return {
    text,
    stem,
    isPrefix,
    firstWildcard: hasPlus ? text.indexOf('+') : stem.length,
    plusSegments: hasPlus ? stem.split('/').filter((segment) => segment === '+').length : 0,
  }
}

/** Positive when `a` is the more specific: Vault's five tie-breaks, all of them properties of the patterns alone. */
export function compareSpecificity(a: Pattern, b: Pattern): number {
  return (
    a.firstWildcard - b.firstWildcard ||
    Number(b.isPrefix) - Number(a.isPrefix) ||
    b.plusSegments - a.plusSegments ||
    a.stem.length - b.stem.length ||
    compareUtf8(a.stem, b.stem)
  )
}

interface Entry<T> {
  readonly rank: number
  readonly value: T
}
interface Node<T> {
  readonly literals: Map<string, Node<T>>
  plus?: Node<T>
  end?: Entry<T>
  /** Prefixes of the segment that would come here, with everything after it. */
  readonly globs: Map<string, Entry<T>>
  /** The lengths of their texts, longest first. */
  globLengths: number[]
}

function emptyNode<T>(): Node<T> {
  return { literals: new Map(), globs: new Map(), globLengths: [] }
}

/** Finds the most specific of many patterns by walking a path's segments: the cost grows with the path, not with the patterns. */
export class PatternIndex<T> {
  readonly #root: Node<T> = emptyNode()

  constructor(patterns: ReadonlyMap<string, T>) {
    const known = [...patterns].flatMap(([text, value]) => {
      const pattern = readPattern(text)
      return pattern ? [{ pattern, value }] : []
    })
    known.sort((a, b) => compareSpecificity(a.pattern, b.pattern))
    known.forEach(({ pattern, value }, rank) => {
      this.#insert(pattern, { rank, value })
    })
  }

  #insert(pattern: Pattern, entry: Entry<T>): void {
    const segments = pattern.stem.split('/')
    const last = pattern.isPrefix ? (segments.pop() ?? '') : undefined
    let node = this.#root
    for (const segment of segments) node = child(node, segment)
    if (last === undefined) {
      node.end = entry
    } else {
      node.globs.set(last, entry)
      node.globLengths = [...new Set([...node.globLengths, last.length])].sort((a, b) => b - a)
    }
  }

  best(path: string): T | undefined {
    return search(this.#root, path.split('/'), 0, undefined)?.value
  }
}

function child<T>(node: Node<T>, segment: string): Node<T> {
  if (segment === '+') {
    node.plus ??= emptyNode()
    return node.plus
  }
  const known = node.literals.get(segment)
  if (known) return known
  const added = emptyNode<T>()
  node.literals.set(segment, added)
  return added
}

function search<T>(
  node: Node<T>,
  segments: readonly string[],
  at: number,
  found: Entry<T> | undefined,
): Entry<T> | undefined {
  const segment = segments[at]
  if (segment === undefined) return better(node.end, found)
  let best = found
  // Of one node's globs the longest is the most specific.
  for (const length of node.globLengths) {
    const entry = length <= segment.length ? node.globs.get(segment.slice(0, length)) : undefined
    if (entry) {
      best = better(entry, best)
      break
    }
  }
  const literal = node.literals.get(segment)
  if (literal) best = search(literal, segments, at + 1, best)
  return node.plus ? search(node.plus, segments, at + 1, best) : best
}

function better<T>(a: Entry<T> | undefined, b: Entry<T> | undefined): Entry<T> | undefined {
  if (!a || !b) return a ?? b
  return a.rank > b.rank ? a : b
}
