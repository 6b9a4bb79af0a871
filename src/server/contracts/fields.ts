import type { JsonObject } from '../../lib/json/value.ts'

/**
 * Vault's loose input kinds: "true"/1 -> bool, "5" -> int, 5 -> "5", one value -> list, "a,b" or ["a","b"] -> commaList,
 * number, "30", "30s", "2d" -> duration (milliseconds), {"k":"v"} or ["k=v"] -> stringMap. 'object' and 'json' are as sent.
 */
export type FieldKind =
  | 'string'
  | 'lowerString'
  | 'bool'
  | 'int'
  | 'float'
  | 'duration'
  | 'commaList'
  | 'intList'
  | 'stringMap'
  | 'object'
  | 'json'

export interface Field {
  readonly kind: FieldKind
  readonly description: string
  readonly default?: unknown
  /** Shown in help; the operation still says its own words when it is missing. */
  readonly required?: boolean
  readonly deprecated?: boolean
}
export type Fields = Readonly<Record<string, Field>>

type ValueOf<K extends FieldKind> = K extends 'string' | 'lowerString'
  ? string
  : K extends 'bool'
    ? boolean
    : K extends 'int' | 'float' | 'duration'
      ? number
      : K extends 'commaList'
        ? readonly string[]
        : K extends 'intList'
          ? readonly number[]
          : K extends 'stringMap'
            ? Readonly<Record<string, string>>
            : K extends 'object'
              ? JsonObject
              : unknown

/** Absent fields are undefined unless they have a default. */
export type InputOf<F extends Fields | 'free'> = F extends Fields
  ? {
      readonly [N in keyof F]: F[N] extends { default: string | number | boolean | readonly unknown[] | JsonObject }
        ? ValueOf<F[N]['kind']>
        : ValueOf<F[N]['kind']> | undefined
    }
  : JsonObject
