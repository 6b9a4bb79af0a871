/** The types of CEL expressions: what a checker reasons about before anything is evaluated. */

export type TypeKind =
  | 'bool'
  | 'int'
  | 'uint'
  | 'double'
  | 'string'
  | 'bytes'
  | 'null'
  | 'timestamp'
  | 'duration'
  | 'dyn'
  | 'error'
  | 'list'
  | 'map'
  | 'type'
  | 'object'
  | 'opaque'
  | 'parameter'

export interface CelType {
  readonly kind: TypeKind
  /** As messages of the API server print it, without parameters. */
  readonly name: string
  readonly parameters: readonly CelType[]
  /** Of an object: by escaped name. */
  readonly fields?: ReadonlyMap<string, CelType>
}

const simple = (kind: TypeKind, name: string = kind): CelType => ({ kind, name, parameters: [] })

export const boolType = simple('bool')
export const intType = simple('int')
export const uintType = simple('uint')
export const doubleType = simple('double')
export const stringType = simple('string')
export const bytesType = simple('bytes')
export const nullType = simple('null')
export const timestampType = simple('timestamp')
export const durationType = simple('duration')
export const dynType = simple('dyn')
/** Of what is wrong already: agrees with everything, so that one fault is reported once. */
export const errorType = simple('error', '!error!')

export const listType = (of: CelType): CelType => ({ kind: 'list', name: 'list', parameters: [of] })
export const mapType = (key: CelType, value: CelType): CelType => ({
  kind: 'map',
  name: 'map',
  parameters: [key, value],
})
export const typeOf = (of: CelType): CelType => ({ kind: 'type', name: 'type', parameters: [of] })
export const optionalType = (of: CelType): CelType => opaqueType('optional_type', [of])
export const opaqueType = (name: string, parameters: readonly CelType[] = []): CelType => ({
  kind: 'opaque',
  name,
  parameters,
})
export const parameterType = (name: string): CelType => ({ kind: 'parameter', name, parameters: [] })
export const objectType = (name: string, fields: ReadonlyMap<string, CelType>): CelType => ({
  kind: 'object',
  name,
  parameters: [],
  fields,
})

export const isOptional = (type: CelType) => type.kind === 'opaque' && type.name === 'optional_type'
/** The type in an optional, or the type itself. */
export const withoutOptional = (type: CelType): CelType => (isOptional(type) ? (type.parameters[0] ?? dynType) : type)

export function formatType(type: CelType): string {
  if (type.parameters.length === 0) return type.name
  return `${type.name}(${type.parameters.map(formatType).join(', ')})`
}

/** "(int, string)", "string.(int)". */
export function formatArguments(types: readonly CelType[], member: boolean): string {
  const [target, ...rest] = types
  if (!member || !target) return `(${types.map(formatType).join(', ')})`
  return `${formatType(target)}.(${rest.map(formatType).join(', ')})`
}

export function sameType(a: CelType, b: CelType): boolean {
  return (
    a === b ||
    (a.kind === b.kind &&
      a.name === b.name &&
      a.parameters.length === b.parameters.length &&
      a.parameters.every((one, index) => {
        const other = b.parameters[index]
        return other !== undefined && sameType(one, other)
      }))
  )
}

const simpleTypes = new Map(
  [boolType, intType, uintType, doubleType, stringType, bytesType, nullType, timestampType, durationType, dynType].map(
    (type) => [type.name, type],
  ),
)

/** "list(A)", "map(string, int)", "kubernetes.URL": a type as the tables of functions write it. One capital is a parameter. */
export function parseType(text: string): CelType {
  const [type, rest] = readType(text.trim())
  if (rest.trim() !== '') throw new Error(`not a type: ${text}`)
  return type
}

/** "string, list(int)", or nothing. */
export function parseTypes(text: string): CelType[] {
  const out: CelType[] = []
  for (let rest = text.trim(); rest !== ''; ) {
    const [type, after] = readType(rest)
    out.push(type)
    rest = after.replace(/^\s*,\s*/, '')
  }
  return out
}

function readType(text: string): readonly [CelType, string] {
  const name = /^[A-Za-z_.0-9]+/.exec(text)?.[0] ?? ''
  let rest = text.slice(name.length)
  const parameters: CelType[] = []
  if (rest.startsWith('(')) {
    rest = rest.slice(1)
    while (!rest.startsWith(')')) {
      const [type, after] = readType(rest)
      parameters.push(type)
      rest = after.replace(/^\s*,\s*/, '')
      if (rest === '') throw new Error(`not a type: ${text}`)
    }
    rest = rest.slice(1)
  }
  return [namedType(name, parameters), rest]
}

function namedType(name: string, parameters: readonly CelType[]): CelType {
  const [first = dynType, second = dynType] = parameters
  if (name === 'list') return listType(first)
  if (name === 'map') return mapType(first, second)
  if (name === 'type') return typeOf(first)
  if (/^[A-Z]$/.test(name)) return parameterType(name)
  return simpleTypes.get(name) ?? opaqueType(name, parameters)
}
