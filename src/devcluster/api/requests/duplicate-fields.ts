/** What a document says more than once: readers keep the last and say nothing. */
import { mediaTypes } from './body.ts'

/** In the words of a strict decoder. `text` has been read before, so it is well-formed. */
export async function repetitions(text: string, mediaType: string): Promise<string[]> {
  if (mediaType === mediaTypes.yaml) return repeatedKeys(text)
  return duplicateFields(text).map((path) => `duplicate field "${path}"`)
}

/** The library's own search compares every key with every other. */
async function repeatedKeys(text: string): Promise<string[]> {
  const yaml = await import('yaml')
  const counter = new yaml.LineCounter()
  const document = yaml.parseDocument(text, {
    ...{ version: '1.1', uniqueKeys: false, logLevel: 'silent' },
    lineCounter: counter,
  } as const)
  const lines: string[] = []
  yaml.visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!yaml.isScalar(key)) continue
        if (seen.has(key.value)) {
          const { line } = counter.linePos(key.range?.[0] ?? 0)
          lines.push(`  line ${line}: key ${JSON.stringify(String(key.value))} already set in map`)
        }
        seen.add(key.value)
      }
    },
  })
  return lines.length === 0 ? [] : [`yaml: unmarshal errors:\n${lines.join('\n')}`]
}

interface Level {
  /** Of the object or list itself: "spec.containers". */
  readonly path: string
  /** Undefined for a list. */
  readonly members: Set<string> | undefined
  index: number
}

/** Their paths, each once, in the document's order. */
export function duplicateFields(text: string): string[] {
  const walk = new Walk()
  // A string in front of a colon is a member's name; everything else of interest is one character.
  for (const [token, name] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}[\],]/g)) {
    if (name !== undefined) walk.member(String(JSON.parse(name)))
    else if (token === '{' || token === '[') walk.enter(token === '{')
    else if (token === '}' || token === ']') walk.leave()
    else if (token === ',') walk.next()
  }
  return [...walk.found]
}

class Walk {
  readonly found = new Set<string>()
  readonly #levels: Level[] = []
  /** Of the member whose value comes next. */
  #path = ''

  member(name: string): void {
    const level = this.#levels.at(-1)
    if (!level?.members) return
    this.#path = level.path === '' ? name : `${level.path}.${name}`
    if (level.members.has(name)) this.found.add(this.#path)
    level.members.add(name)
  }

  enter(isObject: boolean): void {
    const level = this.#levels.at(-1)
    const path = level && !level.members ? `${level.path}[${level.index}]` : this.#path
    this.#levels.push({ path, members: isObject ? new Set() : undefined, index: 0 })
  }

  leave(): void {
    this.#levels.pop()
  }

  next(): void {
    const level = this.#levels.at(-1)
    if (level) level.index += 1
  }
}
