import { type JsonLimits, Tokenizer } from './tokenizer.ts'
import { RawJson } from './value.ts'

/** For text that was checked before: whoever allowed it then may have had wider limits than the defaults. */
export const trusted: JsonLimits = {
  maxBytes: Number.POSITIVE_INFINITY,
  maxDepth: 1000,
  maxStringLength: Number.POSITIVE_INFINITY,
  maxStrings: Number.POSITIVE_INFINITY,
  maxValues: Number.POSITIVE_INFINITY,
  checked: true,
}

/** Told of each string value: where its text stands and what it says. */
export type StringVisitor = (from: number, to: number, value: string) => void

/** Reads past one value without building it. With a visitor the text is known to be valid: duplicate keys are not looked for again. */
export function walkValue(tokens: Tokenizer, visit?: StringVisitor): void {
  const code = tokens.peek()
  if (code === 0x22) {
    const from = tokens.pos
    const value = tokens.string()
    visit?.(from, tokens.pos, value)
  } else if (code === 0x7b) {
    const seen = visit ? undefined : new Set<string>()
    walkMembers(tokens, (key, at) => {
      if (seen?.has(key)) tokens.fail('duplicate key', at)
      seen?.add(key)
      walkValue(tokens, visit)
    })
  } else if (code === 0x5b) {
    walkArray(tokens, visit)
  } else {
    tokens.scalar()
  }
}

/** Calls `member` with the reader in front of each member's value, which it must read past. */
export function walkMembers(tokens: Tokenizer, member: (key: string, at: number) => void): void {
  tokens.open()
  if (!tokens.isEmpty(0x7d)) {
    do {
      tokens.peek()
      const at = tokens.pos
      const key = tokens.key()
      tokens.peek()
      member(key, at)
    } while (tokens.hasMore(0x7d))
  }
  tokens.close()
}

function walkArray(tokens: Tokenizer, visit?: StringVisitor): void {
  tokens.open()
  if (!tokens.isEmpty(0x5d)) {
    do {
      walkValue(tokens, visit)
    } while (tokens.hasMore(0x5d))
  }
  tokens.close()
}

/** The members of an object, each as its text; their insides are walked, not built. Throws JsonSyntaxError if it is no object. */
export function rawMembers(raw: RawJson): ReadonlyMap<string, RawJson> {
  const tokens = new Tokenizer(raw.text, trusted)
  const members = new Map<string, RawJson>()
  if (tokens.peek() !== 0x7b) tokens.fail('expected an object')
  walkMembers(tokens, (key) => {
    const from = tokens.pos
    walkValue(tokens, ignore)
    members.set(key, new RawJson(raw.text.slice(from, tokens.pos)))
  })
  tokens.end()
  return members
}

const ignore: StringVisitor = () => undefined
