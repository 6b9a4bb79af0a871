import { inspect } from 'node:util'

/** A value that must not be printed: JSON and inspect show `[redacted]`; `reveal` is the only way in. */
export class Sensitive<T = string> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  reveal(): T {
    return this.#value
  }

  toJSON() {
    return '[redacted]'
  }

  toString() {
    return '[redacted]'
  }

  [inspect.custom]() {
    return '[redacted]'
  }
}
