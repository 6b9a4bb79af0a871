/** All functions and type names that an expression can use: those of CEL and of Kubernetes 1.34. */
import { type CelType, parseType, typeOf } from '../cel-type.ts'
import type { Overload } from '../overload.ts'
import { TypeValue, type Value } from '../value.ts'
import { addressFunctions } from './addresses.ts'
import { collectionFunctions } from './collections.ts'
import { conversionFunctions } from './conversions.ts'
import { formatFunctions } from './named-formats.ts'
import { operatorSignatures } from './operator-signatures.ts'
import { quantityFunctions } from './quantities.ts'
import { textFunctions } from './texts.ts'
import { timeFunctions } from './times.ts'
import { urlFunctions } from './urls.ts'
import { versionFunctions } from './versions.ts'

export const functionLibrary: ReadonlyMap<string, readonly Overload[]> = byName([
  ...operatorSignatures,
  ...conversionFunctions,
  ...textFunctions,
  ...collectionFunctions,
  ...timeFunctions,
  ...urlFunctions,
  ...addressFunctions,
  ...quantityFunctions,
  ...versionFunctions,
  ...formatFunctions,
])

function byName(overloads: readonly Overload[]): Map<string, Overload[]> {
  const out = new Map<string, Overload[]>()
  for (const overload of overloads) {
    const known = out.get(overload.name)
    if (known) known.push(overload)
    else out.set(overload.name, [overload])
  }
  return out
}

/** `type(x) == int`: by the name in an expression, the type and the name that type() gives. */
const typeNames: readonly (readonly [string, string])[] = [
  ['bool', 'bool'],
  ['bytes', 'bytes'],
  ['double', 'double'],
  ['int', 'int'],
  ['uint', 'uint'],
  ['string', 'string'],
  ['list', 'list(dyn)'],
  ['map', 'map(dyn, dyn)'],
  ['null_type', 'null'],
  ['type', 'type(dyn)'],
  ['optional_type', 'optional_type(dyn)'],
  ['google.protobuf.Timestamp', 'timestamp'],
  ['google.protobuf.Duration', 'duration'],
  ['net.IP', 'net.IP'],
  ['net.CIDR', 'net.CIDR'],
]
export const typeIdentifiers: ReadonlyMap<string, CelType> = new Map(
  typeNames.map(([name, type]) => [name, typeOf(parseType(type))]),
)
export const typeValues: ReadonlyMap<string, Value> = new Map(typeNames.map(([name]) => [name, new TypeValue(name)]))
