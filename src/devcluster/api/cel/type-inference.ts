/** Which types fit which, with parameters being found out on the way (cel-spec, "Gradual type checking"). */
import { type CelType, dynType, sameType } from './cel-type.ts'

/** What the parameters are found to be, by name. */
export type Bindings = ReadonlyMap<string, CelType>

const isFree = (type: CelType) => type.kind === 'dyn' || type.kind === 'error'
const nullable = ['null', 'opaque', 'object', 'timestamp', 'duration']

/** The bindings under which every type of `actual` fits that of `declared`; undefined: none. */
export function assignAll(
  bindings: Bindings,
  actual: readonly CelType[],
  declared: readonly CelType[],
): Bindings | undefined {
  const found = new Map(bindings)
  return fitsAll(found, actual, declared) ? found : undefined
}

export function assign(bindings: Bindings, actual: CelType, declared: CelType): Bindings | undefined {
  return assignAll(bindings, [actual], [declared])
}

function fitsAll(bindings: Map<string, CelType>, a: readonly CelType[], b: readonly CelType[]): boolean {
  if (a.length !== b.length) return false
  return a.every((type, index) => {
    const other = b[index]
    return other !== undefined && fits(bindings, type, other)
  })
}

function fits(bindings: Map<string, CelType>, a: CelType, b: CelType): boolean {
  if (b.kind === 'parameter') {
    const { valid, known } = substitutes(bindings, a, b)
    if (valid) return true
    if (known) return false
  }
  if (a.kind === 'parameter') return substitutes(bindings, b, a).valid
  if (isFree(a) || isFree(b)) return true
  if (a.kind === 'null') return nullable.includes(b.kind)
  if (b.kind === 'null') return nullable.includes(a.kind)
  if (a.kind === 'type') return b.kind === 'type'
  return a.kind === b.kind && a.name === b.name && fitsAll(bindings, a.parameters, b.parameters)
}

function substitutes(bindings: Map<string, CelType>, type: CelType, parameter: CelType) {
  if (sameType(type, parameter)) return { valid: true, known: true }
  const bound = bindings.get(parameter.name)
  if (!bound) {
    if (!occursIn(bindings, parameter, type)) {
      bindings.set(parameter.name, type)
      return { valid: true, known: false }
    }
    return { valid: false, known: false }
  }
  if (sameType(type, bound)) return { valid: true, known: true }
  if (!fits(bindings, type, bound)) return { valid: false, known: true }
  const wider = mostGeneral(type, bound)
  if (!occursIn(bindings, parameter, wider)) bindings.set(parameter.name, wider)
  return { valid: true, known: true }
}

function occursIn(bindings: Bindings, parameter: CelType, type: CelType): boolean {
  if (sameType(parameter, type)) return true
  if (type.kind === 'parameter') {
    const bound = bindings.get(type.name)
    return bound !== undefined && occursIn(bindings, parameter, bound)
  }
  return type.parameters.some((inner) => occursIn(bindings, parameter, inner))
}

export function mostGeneral(a: CelType, b: CelType): CelType {
  return isLessSpecific(a, b) ? a : b
}

function isLessSpecific(a: CelType, b: CelType): boolean {
  if (a.kind === 'dyn' || a.kind === 'parameter') return true
  if (b.kind === 'dyn' || b.kind === 'parameter' || a.kind !== b.kind) return false
  if (a.kind === 'type') return true
  return (
    a.name === b.name &&
    a.parameters.every((one, index) => {
      const other = b.parameters[index]
      return other !== undefined && isLessSpecific(one, other)
    })
  )
}

/** Maps of maps of themselves double with every level; all that walks over types would never end. */
const maxTypeParts = 1000

export function isLarge(bindings: Bindings, type: CelType): boolean {
  let parts = 0
  const visit = (part: CelType): boolean => {
    parts += 1
    if (parts > maxTypeParts) return true
    const bound = part.kind === 'parameter' ? bindings.get(part.name) : undefined
    return bound ? visit(bound) : part.parameters.some(visit)
  }
  return visit(type)
}

/** `type` with what is known of its parameters; `open` is what unknown ones become. */
export function substitute(bindings: Bindings, type: CelType, open?: 'dyn'): CelType {
  if (type.kind === 'parameter') {
    const bound = bindings.get(type.name)
    if (bound) return substitute(bindings, bound, open)
    return open ? dynType : type
  }
  if (type.parameters.length === 0) return type
  return { ...type, parameters: type.parameters.map((inner) => substitute(bindings, inner, open)) }
}

/** `types` with their parameters renamed by `rename`, so that two calls of one function do not share them. */
export function renameParameters(types: readonly CelType[], rename: (name: string) => string): CelType[] {
  return types.map((type) =>
    type.kind === 'parameter'
      ? { ...type, name: rename(type.name) }
      : { ...type, parameters: renameParameters(type.parameters, rename) },
  )
}
