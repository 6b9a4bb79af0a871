import { describe, expect, it } from 'vitest'
import { shownAddress } from './shown-address.ts'

describe('an address that is shown', () => {
  it.each([
    ['https://vault.example:8200', 'https://vault.example:8200'],
    ['http://[::1]:8200/base', 'http://[::1]:8200/base'],
    ['unix:///run/a.sock', 'unix:///run/a.sock'],
    ['https://ada@vault:8200', 'https://ada@vault:8200'],
    ['https://ada:canary-pw@vault:8200/base', 'https://ada:***@vault:8200/base'],
    ['https://ada:canary/p@w@vault', 'https://ada:***@vault'],
    ['https://:canary-pw@vault', 'https://:***@vault'],
    ['ada:canary-pw@vault', 'ada:***@vault'],
    ['http://ada:canary-pw@[bad', 'http://ada:***@[bad'],
  ])('%s is %s', (address, shown) => {
    expect(shownAddress(address)).toBe(shown)
  })
})
