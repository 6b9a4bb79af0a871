/** What the operators take and give. They are computed by the evaluator itself. */
import { fn, type Overload } from '../overload.ts'
import { noSuchOverload } from '../value.ts'

const computedElsewhere = () => {
  throw noSuchOverload()
}
const operator = (name: string, ...forms: readonly string[]): Overload[] =>
  forms.map((form) => {
    const [parameters = '', result = ''] = form.split(' -> ')
    return fn(name, parameters, result, computedElsewhere)
  })

const numeric = ['int', 'uint', 'double']
const ordered = ['bool', 'string', 'bytes', 'timestamp', 'duration'].map((type) => `${type}, ${type} -> bool`)
const comparisons = [...numeric.flatMap((left) => numeric.map((right) => `${left}, ${right} -> bool`)), ...ordered]
const same = (types: readonly string[]) => types.map((type) => `${type}, ${type} -> ${type}`)
const timeSums = ['duration, timestamp -> timestamp', 'timestamp, duration -> timestamp']

export const operatorSignatures: readonly Overload[] = [
  ...operator('_?_:_', 'bool, A, A -> A'),
  ...operator('_&&_', 'bool, bool -> bool'),
  ...operator('_||_', 'bool, bool -> bool'),
  ...operator('!_', 'bool -> bool'),
  ...operator('-_', 'double -> double', 'int -> int'),
  ...operator('_==_', 'A, A -> bool'),
  ...operator('_!=_', 'A, A -> bool'),
  ...['_<_', '_<=_', '_>_', '_>=_'].flatMap((name) => operator(name, ...comparisons)),
  ...operator('_+_', ...same(['bytes', 'double', 'duration', 'int', 'list(A)', 'string', 'uint']), ...timeSums),
  ...operator(
    '_-_',
    ...same(['double', 'duration', 'int', 'uint']),
    'timestamp, duration -> timestamp',
    'timestamp, timestamp -> duration',
  ),
  ...operator('_*_', ...same(numeric)),
  ...operator('_/_', ...same(numeric)),
  ...operator('_%_', ...same(['int', 'uint'])),
  ...operator('@in', 'A, list(A) -> bool', 'A, map(A, B) -> bool'),
  ...operator(
    '_[_]',
    'list(A), int -> A',
    'map(A, B), A -> B',
    'optional_type(list(A)), int -> optional_type(A)',
    'optional_type(map(A, B)), A -> optional_type(B)',
  ),
  ...operator(
    '_[?_]',
    'list(A), int -> optional_type(A)',
    'optional_type(list(A)), int -> optional_type(A)',
    'map(A, B), A -> optional_type(B)',
    'optional_type(map(A, B)), A -> optional_type(B)',
  ),
]
