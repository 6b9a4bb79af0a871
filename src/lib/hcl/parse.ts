/** HCL 1 (and JSON in its place) as Vault's policies and server configurations use it. */
import { DocumentBuilder } from '../json/document-builder.ts'
import { JsonSyntaxError, parseJson } from '../json/parse.ts'
import { defaultJsonLimits, Tokenizer } from '../json/tokenizer.ts'
import { type Json, JsonNumber, type JsonObject, RawJson } from '../json/value.ts'
import { atOnce } from '../turns.ts'
import { Scanner, type Token } from './scanner.ts'
import { HclError, type HclItem, type HclObject, type HclValue } from './tree.ts'

export interface HclLimits {
  readonly maxLength: number
  readonly maxDepth: number
}
export const defaultHclLimits: HclLimits = { maxLength: 1024 * 1024, maxDepth: 32 }

/**
 * A text that starts with `{` is JSON; its objects arrive as items without labels (`blocks` in read.ts evens that out).
 * Throws HclError. Accepts what hashicorp/hcl v1 accepts, but not `key =` without a value nor numbers that Go can't hold.
 */
export function parseHcl(text: string, limits: HclLimits = defaultHclLimits): HclObject {
  return atOnce(hclSteps(text, limits))
}

/** The same with pauses. */
function* hclSteps(text: string, limits: HclLimits): Generator<void, HclObject> {
  const items: HclItem[] = []
  for (const item of hclItems(text, limits)) {
    if (item) items.push(item)
    else yield
  }
  return { items }
}

/**
 * The items of the document as they are read, so that not all of them need to be in memory at a time; undefined is a pause. Those
 * before a mistake come before its HclError.
 */
export function* hclItems(
  text: string,
  limits: HclLimits = defaultHclLimits,
): Generator<HclItem | undefined, void, undefined> {
  if (text.length > limits.maxLength) {
    throw new HclError(`document is longer than ${limits.maxLength} characters`, { line: 1, column: 1 })
  }
  if (/^\s*\{/.test(text)) yield* jsonItems(text, limits)
  else yield* new Parser(new Scanner(text), limits.maxDepth).items()
}

/** Tokens, or values of JSON, in between two pauses. */
const tokensPerStep = 400

class Parser {
  readonly #scanner: Scanner
  readonly #maxDepth: number
  #depth = 0
  #token: Token
  /** Since the last pause. */
  #count = 0

  constructor(scanner: Scanner, maxDepth: number) {
    this.#scanner = scanner
    this.#maxDepth = maxDepth
    this.#token = scanner.next()
  }

  *items(): Generator<HclItem | undefined, void, undefined> {
    while (this.#token.kind !== 'EOF') {
      if (this.#isTimeToPause()) yield undefined
      yield yield* this.#item()
    }
  }

  *#block(): Generator<undefined, HclObject> {
    const items: HclItem[] = []
    while (this.#token.kind !== 'RBRACE') {
      if (this.#token.kind === 'EOF') this.#fail('object expected closing RBRACE got: EOF')
      if (this.#isTimeToPause()) yield
      items.push(yield* this.#item())
    }
    return { items }
  }

  #isTimeToPause(): boolean {
    if (this.#count < tokensPerStep) return false
    this.#count = 0
    return true
  }

  *#item(): Generator<undefined, HclItem> {
    const first = this.#token
    const keys: string[] = []
    while (this.#token.kind === 'IDENT' || this.#token.kind === 'STRING') {
      keys.push(this.#token.text)
      this.#advance()
    }
    const kind = this.#token.kind
    const [key, ...labels] = keys
    if (key === undefined) {
      this.#fail(
        kind === 'ASSIGN' || kind === 'LBRACE'
          ? 'no object keys found!'
          : `expected: IDENT | STRING | ASSIGN | LBRACE got: ${kind}`,
      )
    }
    if (kind === 'ASSIGN') {
      if (labels.length > 0) this.#fail('nested object expected: LBRACE got: ASSIGN')
      this.#advance()
    } else if (kind === 'EOF' || kind === 'RBRACE') {
      this.#fail(`key '${keys.join(' ')}' expected start of object ('{') or assignment ('=')`)
    } else if (kind !== 'LBRACE') {
      this.#fail(`expected: IDENT | STRING | ASSIGN | LBRACE got: ${kind}`)
    }
    const value = yield* this.#value()
    // Commas between items are optional, in documents too.
    if (this.#token.kind === 'COMMA') this.#advance()
    return { key, labels, value, line: first.line, column: first.column }
  }

  *#value(): Generator<undefined, HclValue> {
    const token = this.#token
    switch (token.kind) {
      case 'STRING':
      case 'HEREDOC':
        this.#advance()
        return token.text
      case 'NUMBER':
        this.#advance()
        return readNumber(token)
      case 'BOOL':
        this.#advance()
        return token.text === 'true'
      case 'LBRACE':
        this.#enter()
        return this.#left(yield* this.#block())
      case 'LBRACK':
        this.#enter()
        return this.#left(yield* this.#elements())
      default:
        return this.#fail(`Unknown token: ${token.line}:${token.column} ${token.kind} ${token.text}`)
    }
  }

  #enter(): void {
    this.#depth += 1
    if (this.#depth > this.#maxDepth) this.#fail(`nested deeper than ${this.#maxDepth} levels`)
    this.#advance()
  }

  #left<T>(value: T): T {
    this.#advance()
    this.#depth -= 1
    return value
  }

  *#elements(): Generator<undefined, HclValue[]> {
    const values: HclValue[] = []
    for (;;) {
      if (this.#token.kind === 'RBRACK') return values
      if (this.#isTimeToPause()) yield
      values.push(yield* this.#value())
      this.#separator()
    }
  }

  #separator(): void {
    const { kind } = this.#token
    if (kind === 'COMMA') this.#advance()
    else if (kind !== 'RBRACK') this.#fail(`error parsing list, expected comma or list end, got: ${kind}`)
  }

  #advance(): void {
    this.#count += 1
    this.#token = this.#scanner.next()
  }

  #fail(reason: string): never {
    const { line, column } = this.#token
    throw new HclError(reason, { line, column })
  }
}

function readNumber(token: Token): number | JsonNumber {
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/.exec(token.text) ?? []
  const octal = /^0[0-7]+$/.test(digits)
  const value = octal ? Number.parseInt(digits, 8) : Number(digits)
  if (!Number.isFinite(value)) throw new HclError('number out of range', token)
  const decimal = `${sign === '-' ? '-' : ''}${digits}`
  if (/^(?:0|[1-9]\d*)$/.test(digits) && !Number.isSafeInteger(value)) return new JsonNumber(decimal)
  return sign === '-' ? -value : value
}

function* jsonItems(text: string, limits: HclLimits): Generator<HclItem | undefined, void, undefined> {
  let json: Json
  try {
    const all = { maxMembers: Number.POSITIVE_INFINITY, maxElements: Number.POSITIVE_INFINITY }
    const tokens = new Tokenizer(text, { ...defaultJsonLimits, maxDepth: limits.maxDepth })
    const builder = new DocumentBuilder(tokens, all)
    const counted = budget()
    while (!builder.run(counted)) yield undefined
    json = builder.value
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    const before = text.slice(0, error.offset).split('\n')
    throw new HclError(error.message, { line: before.length, column: [...(before.at(-1) ?? '')].length + 1 })
  }
  yield* members(json as JsonObject, budget())
}

interface Budget {
  /** True: time for a pause, after which all of it is there again. */
  spend(cost: number): boolean
}

function budget(): Budget {
  let left = tokensPerStep
  return {
    spend: (cost) => {
      left -= cost
      if (left > 0) return false
      left = tokensPerStep
      return true
    },
  }
}

function* members(object: JsonObject, counted: Budget): Generator<HclItem | undefined, void, undefined> {
  for (const key of Object.keys(object)) {
    yield { key, labels: [], value: yield* fromJson(object[key] ?? null, counted), line: 1, column: 1 }
  }
}

function* fromObject(object: JsonObject, counted: Budget): Generator<undefined, HclObject> {
  const items: HclItem[] = []
  for (const item of members(object, counted)) {
    if (item) items.push(item)
    else yield
  }
  return { items }
}

function* fromJson(json: Json, counted: Budget): Generator<undefined, HclValue> {
  if (counted.spend(1)) yield
  if (typeof json !== 'object' || json === null || json instanceof JsonNumber) return json
  if (json instanceof RawJson) return yield* fromJson(parseJson(json.text), counted)
  if (!isArray(json)) return yield* fromObject(json, counted)
  const list: HclValue[] = []
  for (const element of json) list.push(yield* fromJson(element, counted))
  return list
}

function isArray(json: Json): json is readonly Json[] {
  return Array.isArray(json)
}
