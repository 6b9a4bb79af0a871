import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { stringifyJson } from '../../lib/json/stringify.ts'
import { Failure } from '../command.ts'
import { readKeyValues } from './key-values.ts'

it('a key of any name is kept, from an object on stdin too', async () => {
  const data = await readKeyValues(['-', '__proto__=b'], Readable.from(['{"__proto__":"a","constructor":"c"}']))
  expect(stringifyJson(data)).toBe('{"__proto__":["a","b"],"constructor":"c"}')
})

it('input without end is refused in one line', async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1024 * 1024, 'x')
    })(),
  )
  const error: unknown = await readKeyValues(['k=-'], endless).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(Failure)
  expect(String(error)).toContain('the input is longer than 33554432 bytes')
})
