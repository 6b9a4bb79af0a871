/**
 * Shapes of the built-in kinds, read from builtin-types.gen.ts. A line is `field:type field:type …`, "~ " before it makes
 * the type atomic. A type is a letter for a scalar (s i n b t m q I B), `*` for anything or the name of another line,
 * followed by `{}` for a map or `[how]` for a list; `how` is `patchMergeKey/owner,keys`, `=` standing for a set of plain
 * values and an absent half for atomic; without the slash both halves are the same. `!` after a type: retainKeys.
 */
import { builtinTypes } from './builtin-types.gen.ts'
import { anyShape, type Field, type ListShape, type Scalar, type Shape } from './shape.ts'

const scalars: Readonly<Record<string, Scalar>> = {
  s: 'text',
  i: 'integer',
  n: 'number',
  b: 'boolean',
  t: 'time',
  m: 'time',
  q: 'quantity',
  I: 'intOrText',
  B: 'bytes',
}

/** Looks up shapes by the name of their line ("core.Pod"); each is read once. */
export class BuiltInShapes {
  readonly #known = new Map<string, Shape>()

  get(name: string): Shape {
    const known = this.#known.get(name)
    if (known) return known
    const line = builtinTypes[name]
    if (line === undefined) throw new Error(`no such type: ${name}`)
    const fields = new Map<string, Field>()
    const atomic = line.startsWith('~ ')
    const shape: Shape = { kind: 'struct', fields, atomic }
    // Known before its fields are read: a type may hold itself.
    this.#known.set(name, shape)
    for (const part of (atomic ? line.slice(2) : line).split(' ')) {
      const colon = part.indexOf(':')
      if (colon > 0) fields.set(part.slice(0, colon), this.#field(part.slice(colon + 1)))
    }
    return shape
  }

  #field(text: string): Field {
    const retainKeys = text.endsWith('!')
    return { shape: this.#type(retainKeys ? text.slice(0, -1) : text), retainKeys }
  }

  #type(text: string): Shape {
    if (text.endsWith('{}')) return { kind: 'map', of: this.#type(text.slice(0, -2)), atomic: false }
    const list = /^(.*)\[([^[\]]*)\]$/.exec(text)
    if (list) return listShape(this.#type(list[1] ?? ''), list[2] ?? '')
    if (text === '*') return anyShape
    const scalar = scalars[text]
    return scalar ? { kind: 'scalar', type: scalar } : this.get(text)
  }
}

function listShape(of: Shape, how: string): ListShape {
  const slash = how.indexOf('/')
  const merge = slash < 0 ? how : how.slice(0, slash)
  const keys = slash < 0 ? how : how.slice(slash + 1)
  return {
    kind: 'list',
    of,
    ...(merge === '' || merge === '=' ? {} : { mergeKey: merge }),
    mergeSet: merge === '=',
    owned: keys === '' ? 'atomic' : keys === '=' ? 'set' : keys.split(','),
  }
}
