import { readScalar } from './parse.ts'
import { JsonSyntaxError, type Tokenizer } from './tokenizer.ts'
import type { Json } from './value.ts'

interface Frame {
  readonly object: Record<string, Json> | undefined
  /** Made with its first element: where one is put into an empty array, V8 makes room for 17. */
  array: Json[] | undefined
  /** Of the member whose value comes next. */
  key: string
  count: number
}

/** What a token costs besides its characters. */
const tokenCost = 0.5

/** Builds a document as `parseJson` does, but keeps its place in a list of open containers, so that it can stop anywhere. */
export class DocumentBuilder {
  readonly #tokens: Tokenizer
  readonly #limits: { readonly maxMembers: number; readonly maxElements: number }
  readonly #open: Frame[] = []
  #value: Json = null
  #done = false

  constructor(tokens: Tokenizer, limits: { readonly maxMembers: number; readonly maxElements: number }) {
    this.#tokens = tokens
    this.#limits = limits
  }

  /** Once `run` has said true. */
  get value(): Json {
    return this.#value
  }

  /** True: the document is complete. False: the slice is used up. */
  run(pace: { spend(cost: number): boolean }): boolean {
    const tokens = this.#tokens
    while (!this.#done) {
      const from = tokens.offset
      this.#step()
      if (pace.spend(tokenCost + (tokens.offset - from) / 512) && !this.#done) return false
    }
    return true
  }

  #step(): void {
    const tokens = this.#tokens
    const code = tokens.peek()
    if (code === 0x22) this.#complete(tokens.string())
    else if (code === 0x7b) this.#enter({ object: Object.create(null), array: undefined, key: '', count: 0 }, 0x7d)
    else if (code === 0x5b) this.#enter({ object: undefined, array: undefined, key: '', count: 0 }, 0x5d)
    else {
      tokens.hold()
      this.#complete(readScalar(tokens))
    }
  }

  #enter(frame: Frame, close: number): void {
    const tokens = this.#tokens
    tokens.open()
    if (tokens.isEmpty(close)) {
      tokens.close()
      this.#complete(frame.object ?? [])
    } else {
      this.#open.push(frame)
      if (frame.object) this.#readKey(frame, frame.object)
    }
  }

  #readKey(frame: Frame, object: Record<string, Json>): void {
    const tokens = this.#tokens
    tokens.peek()
    const at = tokens.offset
    frame.key = tokens.key()
    if (frame.key in object) throw new JsonSyntaxError('duplicate key', at)
  }

  /** Puts a value where it belongs, and closes what ends with it. */
  #complete(complete: Json): void {
    const tokens = this.#tokens
    let value = complete
    for (;;) {
      const frame = this.#open.at(-1)
      if (!frame) {
        tokens.end()
        this.#value = value
        this.#done = true
        return
      }
      if (frame.object) frame.object[frame.key] = value
      else if (frame.array) frame.array.push(value)
      else frame.array = [value]
      this.#count(frame)
      if (tokens.hasMore(frame.object ? 0x7d : 0x5d)) {
        if (frame.object) this.#readKey(frame, frame.object)
        return
      }
      tokens.close()
      this.#open.pop()
      value = frame.object ?? frame.array ?? []
    }
  }

  #count(frame: Frame): void {
    const { maxMembers, maxElements } = this.#limits
    frame.count += 1
    if (frame.object && frame.count > maxMembers) throw tooMany(`an object of more than ${maxMembers} members`)
    if (frame.array && frame.count > maxElements) throw tooMany(`an array of more than ${maxElements} elements`)
  }
}

const tooMany = (what: string) => new JsonSyntaxError(what, 0)
