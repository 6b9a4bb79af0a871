import { describe, expect, it } from 'vitest'
import { AddressPolicy } from './address-policy.ts'

const refusal = (address: string, options = {}, host = address, port = 443) =>
  new AddressPolicy(options).refusal({ host, port, address })

it.each([
  '127.0.0.1',
  '127.255.0.9',
  '::1',
  '0.0.0.0',
  '0.1.2.3',
  '::',
  '169.254.169.254',
  '169.254.0.1',
  'fe80::1',
  'febf::1',
  'fd00:ec2::254',
  '100.100.100.200',
  '168.63.129.16',
  '224.0.0.1',
  'ff02::1',
  '255.255.255.255',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:a9fe:a9fe',
  '::127.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::127.0.0.1',
  '2002:7f00:1::1',
  '2002:a9fe:a9fe::',
])('%s is not dialled', (address) => expect(refusal(address)).toBeDefined())

it.each([
  '10.0.0.1',
  '192.168.1.1',
  '172.16.0.1',
  '1.1.1.1',
  '2606:4700::1111',
  'fd12::1',
  '::ffff:10.0.0.1',
  '64:ff9b::101:101',
  '2002:101:101::1',
  '100.64.0.1',
])('%s is dialled: clusters live there', (address) => expect(refusal(address)).toBeUndefined())

describe('what the operator allows', () => {
  it('a range or an address', () => {
    expect(refusal('127.0.0.1', { allow: ['127.0.0.0/8'] })).toBeUndefined()
    expect(refusal('::ffff:127.0.0.1', { allow: ['127.0.0.0/8'] })).toBeUndefined()
    expect(refusal('::1', { allow: ['::1'] })).toBeUndefined()
    expect(refusal('127.0.0.2', { allow: ['127.0.0.1'] })).toBeDefined()
    expect(refusal('169.254.169.254', { allow: ['127.0.0.0/8'] })).toBeDefined()
  })

  it('one host and port, whatever it resolves to', () => {
    const allow = ['Vault.local:8443', '[::1]:9000']
    expect(refusal('127.0.0.1', { allow }, 'vault.local', 8443)).toBeUndefined()
    expect(refusal('127.0.0.1', { allow }, 'vault.local', 443)).toBeDefined()
    expect(refusal('127.0.0.1', { allow }, 'other.local', 8443)).toBeDefined()
    expect(refusal('::1', { allow }, '::1', 9000)).toBeUndefined()
  })

  it.each(['10.0.0.0/33', 'host', 'http://x', '1.2.3', '::1/129', ''])('%j is no such thing', (entry) => {
    expect(() => new AddressPolicy({ allow: [entry] })).toThrow(`"${entry}" is n`)
  })
})

it('its own listeners only when they are named', () => {
  const own = () => ['127.0.0.1:8200', '0.0.0.0:8201', '[::]:8202']
  const allow = ['127.0.0.0/8']
  expect(refusal('127.0.0.1', { own, allow }, '127.0.0.1', 8200)).toContain('this server itself')
  expect(refusal('127.9.9.9', { own, allow }, '127.9.9.9', 8201)).toContain('this server itself')
  expect(refusal('::ffff:127.0.0.1', { own, allow }, 'x', 8202)).toContain('this server itself')
  expect(refusal('127.0.0.1', { own, allow }, '127.0.0.1', 8300)).toBeUndefined()
  expect(refusal('127.0.0.1', { own, allow: ['127.0.0.1:8200'] }, '127.0.0.1', 8200)).toBeUndefined()
})
