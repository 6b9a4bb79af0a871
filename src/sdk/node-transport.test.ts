import { expect, it } from 'vitest'
import { createNodeTransport } from './node-transport.ts'

it('an address that is none is named without its password', () => {
  expect(() => createNodeTransport({ address: 'http://ada:canary-pw@[bad' })).toThrow('"http://ada:***@[bad" is no')
})
