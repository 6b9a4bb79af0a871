/**
 * Shapes of the built-in kinds, read from builtin-types.gen.ts. A line is `field:type field:type …`, "~ " before it makes
 * the type atomic. A type is a letter for a scalar (s i n b t m q I B), `*` for anything or the name of another line,
 * followed by `{}` for a map (`{~}`: atomic) or `[how]` for a list; `how` is `patchMergeKey/owner,keys`, `=` standing for a
 * set of plain values and an absent half for atomic; without the slash both halves are the same. After the type, in this
 * order: `!` retainKeys; `+` written even when nobody set it, with its zero, `-` as null, `=` not written when it is its zero;
 * `@x` what it is in a list's key when an item leaves it out.
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
    const shape: Shape = { kind: 'struct', fields, atomic, name }
    // Known before its fields are read: a type may hold itself.
    this.#known.set(name, shape)
    for (const part of (atomic ? line.slice(2) : line).split(' ')) {
      const colon = part.indexOf(':')
      if (colon > 0) fields.set(part.slice(0, colon), this.#field(part.slice(colon + 1)))
    }
    return shape
  }

  #field(text: string): Field {
    const [, type = '', retain, unset, key] = /^(.*?)(!)?([+=-])?(@.*)?$/.exec(text) ?? []
    const shape = this.#type(type)
    return {
      shape,
      retainKeys: retain !== undefined,
      ...(unset === undefined ? {} : { unset: unsetNames[unset] ?? 'dropped' }),
      ...(key === undefined ? {} : { keyDefault: isNumber(shape) ? Number(key.slice(1)) : key.slice(1) }),
    }
  }

  #type(text: string): Shape {
    const map = /^(.*)\{(~?)\}$/.exec(text)
    if (map) return { kind: 'map', of: this.#type(map[1] ?? ''), atomic: map[2] === '~' }
    const list = /^(.*)\[([^[\]]*)\]$/.exec(text)
    if (list) return listShape(this.#type(list[1] ?? ''), list[2] ?? '')
    if (text === '*') return anyShape
    const scalar = scalars[text]
    return scalar ? { kind: 'scalar', type: scalar } : this.get(text)
  }
}

const unsetNames: Readonly<Record<string, Field['unset']>> = { '+': 'zero', '-': 'null', '=': 'dropped' }

const isNumber = (shape: Shape) => shape.kind === 'scalar' && shape.type === 'integer'

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
