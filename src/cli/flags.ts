import { closest } from '../lib/closest.ts'
import { parseVaultDuration } from '../lib/duration.ts'
import { parseGoBool } from '../lib/go-bool.ts'
import { Failure } from './command.ts'

/** Flags as Go's flag package takes them: -x, --x, -x=v, -x v; a bool takes no next argument. */
export interface FlagSpec {
  readonly kind: 'bool' | 'text' | 'list' | 'int' | 'duration' | 'map'
  readonly about: string
  /** Another spelling: "f" of "force". */
  readonly alias?: string
}
export type FlagSpecs = Readonly<Record<string, FlagSpec>>

/** Reading a flag that the command does not declare is a mistake of ours and throws. */
export class Flags {
  readonly #specs: FlagSpecs
  readonly #given: ReadonlyMap<string, readonly string[]>

  constructor(specs: FlagSpecs, given: ReadonlyMap<string, readonly string[]>) {
    this.#specs = specs
    this.#given = given
  }

  /** Whether the command takes it at all. */
  declares(name: string): boolean {
    return Object.hasOwn(this.#specs, name)
  }

  has(name: string): boolean {
    return this.#values(name).length > 0
  }

  /** The last one given. */
  text(name: string): string | undefined {
    return this.#values(name).at(-1)
  }

  list(name: string): readonly string[] {
    return this.#values(name)
  }

  on(name: string): boolean {
    return this.text(name) === 'true'
  }

  int(name: string): number | undefined {
    const value = this.text(name)
    return value === undefined ? undefined : Number(value)
  }

  /** Checked when the words were parsed. */
  durationMs(name: string): number | undefined {
    const value = this.text(name)
    return value === undefined ? undefined : parseVaultDuration(value)
  }

  /** -metadata=a=1 -metadata=b=2 */
  map(name: string): Record<string, string> {
    return Object.fromEntries(
      this.#values(name).map((pair) => {
        const at = pair.indexOf('=')
        return [pair.slice(0, at), pair.slice(at + 1)]
      }),
    )
  }

  #values(name: string): readonly string[] {
    if (!Object.hasOwn(this.#specs, name)) throw new Error(`flag ${name} is not declared`)
    return this.#given.get(name) ?? []
  }
}

/** Flags may stand anywhere; "--" ends them. Failure 1 names what is wrong. */
export function parseFlags(argv: readonly string[], specs: FlagSpecs): { flags: Flags; args: string[] } {
  const given = new Map<string, string[]>()
  const args: string[] = []
  const left = [...argv]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (word === '--') {
      args.push(...left)
      break
    }
    const match = /^--?([^-=][^=]*)(?:=([\s\S]*))?$/.exec(word)
    if (!match) {
      args.push(word)
      continue
    }
    const name = resolveName(match[1] ?? '', specs)
    const spec = specs[name]
    const value = match[2] ?? (spec?.kind === 'bool' ? 'true' : left.shift())
    if (value === undefined || !spec) throw new Failure(1, `flag needs an argument: -${name}`)
    const values = given.get(name) ?? []
    values.push(checked(name, spec, value))
    given.set(name, values)
  }
  return { flags: new Flags(specs, given), args }
}

function resolveName(typed: string, specs: FlagSpecs): string {
  if (Object.hasOwn(specs, typed)) return typed
  const byAlias = Object.keys(specs).find((name) => specs[name]?.alias === typed)
  if (byAlias !== undefined) return byAlias
  const near = closest(typed, Object.keys(specs))
  throw new Failure(1, `flag provided but not defined: -${typed}${near ? ` (did you mean -${near}?)` : ''}`)
}

function checked(name: string, spec: FlagSpec, value: string): string {
  const problem = (what: string) => new Failure(1, `invalid value "${value}" for flag -${name}: ${what}`)
  switch (spec.kind) {
    case 'bool': {
      const read = parseGoBool(value)
      if (read === undefined) throw problem('want true or false')
      return String(read)
    }
    case 'int':
      if (!/^[+-]?\d+$/.test(value)) throw problem('want a whole number')
      return value
    case 'duration':
      if (parseVaultDuration(value) === undefined) throw problem('want a duration such as 30s, 1h or 90 (seconds)')
      return value
    case 'map':
      if (!value.includes('=')) throw problem('want key=value')
      return value
    case 'text':
    case 'list':
      return value
  }
}
