import { typeName, type Value } from '../value.ts'
import { formatValue, type Spec } from './format.ts'

/** fmt.Sprintf. What doesn't fit is said in the output ("%!d(string=x)"), as Go does. */
export function sprintf(format: string, args: readonly Value[]): string {
  return new Printf(format, args).run()
}

/** Go refuses wider or more precise conversions. */
const tooLarge = 1_000_000

interface Amount {
  readonly value?: number
  readonly bad?: boolean
  /** An explicit index stands right before. */
  readonly afterIndex: boolean
}

class Printf {
  readonly #format: string
  readonly #args: readonly Value[]
  #at = 0
  #next = 0
  #reordered = false
  #goodIndex = true

  constructor(format: string, args: readonly Value[]) {
    this.#format = format
    this.#args = args
  }

  run(): string {
    let out = ''
    while (this.#at < this.#format.length) {
      const percent = this.#format.indexOf('%', this.#at)
      if (percent < 0) {
        out += this.#format.slice(this.#at)
        break
      }
      out += this.#format.slice(this.#at, percent)
      this.#at = percent + 1
      out += this.#conversion()
    }
    return out + (this.#reordered ? '' : this.#extra())
  }

  #conversion(): string {
    this.#goodIndex = true
    const flags = this.#flags()
    const width = this.#amount(this.#index())
    const notes = width.bad ? ['%!(BADWIDTH)'] : []
    if (width.value !== undefined && width.value < 0) flags.add('-')
    let precision: Amount = { afterIndex: width.afterIndex }
    if (this.#take('.')) {
      if (width.afterIndex) this.#goodIndex = false
      precision = this.#amount(this.#index())
      const negative = precision.value !== undefined && precision.value < 0
      if (precision.bad || negative) notes.push('%!(BADPREC)')
      precision = {
        afterIndex: precision.afterIndex,
        value: negative || precision.bad ? undefined : (precision.value ?? 0),
      }
    }
    if (!precision.afterIndex) this.#index()
    const size = width.value === undefined ? undefined : Math.abs(width.value)
    return notes.join('') + this.#finish({ flags, width: size, precision: precision.value })
  }

  /** A width or a precision: digits, or "*" for an argument. */
  #amount(afterIndex: boolean): Amount {
    if (this.#take('*')) {
      const value = this.#starValue()
      return { afterIndex: false, value, bad: value === undefined }
    }
    const value = this.#number()
    if (afterIndex && value !== undefined) this.#goodIndex = false
    return { afterIndex, value }
  }

  #finish(o: { flags: ReadonlySet<string>; width?: number; precision?: number }): string {
    const code = this.#format.codePointAt(this.#at)
    if (code === undefined) return '%!(NOVERB)'
    const verb = String.fromCodePoint(code)
    this.#at += verb.length
    if (verb === '%') return '%'
    if (!this.#goodIndex) return `%!${verb}(BADINDEX)`
    if (this.#next >= this.#args.length) return `%!${verb}(MISSING)`
    const arg = this.#args[this.#next]
    this.#next += 1
    const spec: Spec = { verb, ...o }
    return formatValue(arg, spec)
  }

  #flags(): Set<string> {
    const flags = new Set<string>()
    while ('+-# 0'.includes(this.#format[this.#at] ?? '!')) {
      flags.add(this.#format[this.#at] ?? '')
      this.#at += 1
    }
    if (flags.has('-')) flags.delete('0')
    return flags
  }

  #take(char: string): boolean {
    if (this.#format[this.#at] !== char) return false
    this.#at += 1
    return true
  }

  #number(): number | undefined {
    const match = /\d+/y
    match.lastIndex = this.#at
    const digits = match.exec(this.#format)?.[0]
    if (digits === undefined) return undefined
    this.#at += digits.length
    const value = Number(digits)
    if (value > tooLarge) throw new Error('width or precision too large')
    return value
  }

  /** The argument for a "*"; undefined when there is none, it is no int or it is too large. */
  #starValue(): number | undefined {
    const arg = this.#args[this.#next]
    if (this.#next < this.#args.length) this.#next += 1
    if (typeof arg !== 'bigint' || arg > BigInt(tooLarge) || arg < -BigInt(tooLarge)) return undefined
    return Number(arg)
  }

  /** An explicit argument index "[n]". */
  #index(): boolean {
    if (this.#format[this.#at] !== '[') return false
    this.#reordered = true
    const end = this.#format.indexOf(']', this.#at)
    const digits = end < 0 ? '' : this.#format.slice(this.#at + 1, end)
    this.#at = end < 0 ? this.#at + 1 : end + 1
    const n = Number(digits)
    if (!/^\d+$/.test(digits) || n < 1 || n > this.#args.length) {
      this.#goodIndex = false
      return true
    }
    this.#next = n - 1
    return true
  }

  #extra(): string {
    if (this.#next >= this.#args.length) return ''
    const rest = this.#args.slice(this.#next).map((arg) => {
      if (arg === undefined || arg === null) return '<nil>'
      return `${typeName(arg)}=${formatValue(arg, { verb: 'v', flags: new Set() })}`
    })
    return `%!(EXTRA ${rest.join(', ')})`
  }
}
