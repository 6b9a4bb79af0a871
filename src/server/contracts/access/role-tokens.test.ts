import { expect, it } from 'vitest'
import { isWithinCidrs } from './role-tokens.ts'

it.each([
  ['10.1.2.3', ['10.0.0.0/8'], true],
  ['::ffff:10.1.2.3', ['10.0.0.0/8'], true],
  ['11.1.2.3', ['10.0.0.0/8', '192.168.0.1'], false],
  ['192.168.0.1', ['192.168.0.1'], true],
  ['fd00::5', ['fd00::/8'], true],
  ['10.1.2.3', [], true],
  ['not an address', ['10.0.0.0/8'], false],
])('%s within %j: %s', (address, cidrs, within) => expect(isWithinCidrs(address, cidrs)).toBe(within))
