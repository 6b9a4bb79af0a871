import { type GoFunction, typeName, type Value } from '../../gotemplate/value.ts'

type Whole = (a: bigint, b: bigint) => bigint
type Real = (a: number, b: number) => number

/** consul-template's arithmetic: the second argument is the one worked on ({{ 5 | subtract 2 }} is 3). */
export const mathFunctions: Readonly<Record<string, GoFunction>> = {
  add: arithmetic(
    'add',
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  divide: arithmetic(
    'divide',
    (a, b) => a / nonZero(b),
    (a, b) => a / b,
  ),
  maximum: arithmetic('maximum', larger, Math.max),
  minimum: arithmetic('minimum', (a, b) => (larger(a, b) === a ? b : a), Math.min),
  modulo: arithmetic('modulo', (a, b) => a % nonZero(b)),
  multiply: arithmetic(
    'multiply',
    (a, b) => a * b,
    (a, b) => a * b,
  ),
  subtract: arithmetic(
    'subtract',
    (a, b) => a - b,
    (a, b) => a - b,
  ),
}

function arithmetic(name: string, whole: Whole, real?: Real): GoFunction {
  return {
    params: ['any', 'any'],
    call: (b, a) => {
      if (typeof a === 'bigint' && typeof b === 'bigint') return BigInt.asIntN(64, whole(a, b))
      if (!real || !isNumber(a) || !isNumber(b))
        throw new Error(`${name}: unknown type ${typeName(isNumber(a) ? b : a)}`)
      return real(Number(a), Number(b))
    },
  }
}

const isNumber = (v: Value): v is bigint | number => typeof v === 'bigint' || typeof v === 'number'

function nonZero(v: bigint): bigint {
  if (v === 0n) throw new Error('integer divide by zero')
  return v
}

function larger(a: bigint, b: bigint): bigint {
  if (a > b) return a
  return b
}
