/**
 * What a message's numbers mean, read from protobuf-fields.gen.ts. A line is `number:name:type …`. A type is a letter (s i b d
 * B scalars; t m times, q quantity, I number or text, R raw JSON, X a list of texts; A O P the unions of a JSON schema) or the
 * name of another line, followed by `[]` for a list or `{}` for a map of texts to it. Then comes when Go writes the field as
 * JSON: nothing: always, `?`: unless it is empty, `*`: when it was sent, `>`: its members stand in its place.
 */
import { protobufFields } from './protobuf-fields.gen.ts'

export interface MessageField {
  readonly number: number
  readonly name: string
  /** A letter or the name of a message. */
  readonly type: string
  readonly many: 'one' | 'list' | 'map'
  readonly written: 'always' | 'unless empty' | 'when sent' | 'inline'
}

const pattern = /^(\d+):([^:]+):([\w.]+)(\[\]|\{\})?([?*>])?$/
const whens = { '?': 'unless empty', '*': 'when sent', '>': 'inline' } as const

/** Looks up messages by the name of their line ("core.Pod"); each is read once. */
export class FieldTable {
  readonly #known = new Map<string, readonly MessageField[]>()

  get(message: string): readonly MessageField[] | undefined {
    const known = this.#known.get(message)
    if (known) return known
    if (!Object.hasOwn(protobufFields, message)) return undefined
    const fields = (protobufFields[message] ?? '').split(' ').filter((text) => text !== '')
    const read = fields.map(fieldOf)
    this.#known.set(message, read)
    return read
  }
}

function fieldOf(text: string): MessageField {
  const match = pattern.exec(text)
  if (!match) throw new Error(`no field: ${text}`)
  const [, number, name = '', type = '', many, when] = match
  const written = when === '?' || when === '*' || when === '>' ? whens[when] : 'always'
  return { number: Number(number), name, type, many: many === '[]' ? 'list' : many ? 'map' : 'one', written }
}
