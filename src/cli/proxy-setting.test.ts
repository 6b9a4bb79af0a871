import { describe, expect, it } from 'vitest'
import { environmentProxy } from './proxy-setting.ts'

describe('the proxy of the machine', () => {
  it.each([
    ['https://vault.example', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1'],
    ['https://vault.example', { https_proxy: 'p:1' }, 'http://p:1'],
    ['http://vault.example', { HTTPS_PROXY: 'http://p:1' }, undefined],
    ['http://vault.example', { HTTP_PROXY: 'http://p:1' }, 'http://p:1'],
    ['unix:///run/a.sock', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['http://localhost:8200', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['http://127.0.0.2:8200', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['http://[::1]:8200', { HTTP_PROXY: 'http://p:1' }, undefined],
  ])('%s with %j is %s', (address, env, proxy) => {
    expect(environmentProxy(address, env)).toBe(proxy)
  })

  it.each([
    ['vault.example', '*', false],
    ['vault.example', 'vault.example', false],
    ['a.vault.example', 'vault.example', false],
    ['vault.example', '.vault.example', true],
    ['a.vault.example', '.vault.example', false],
    ['notvault.example', 'vault.example', true],
    ['vault.example', 'other, vault.example:8200', false],
    ['vault.example', 'vault.example:9999', true],
    ['10.1.2.3', '10.0.0.0/8', false],
    ['11.1.2.3', '10.0.0.0/8', true],
    ['10.1.2.3', '10.1.2.3', false],
    ['10.1.2.3', '10.0.0.0/99', true],
    ['[fd00::1]', 'fd00::/8', false],
    ['[fd00::1]', 'fd00::1', false],
    ['vault.example', '', true],
  ])('%s with NO_PROXY=%s: %s', (host, excepted, through) => {
    const env = { HTTP_PROXY: 'http://p:1', NO_PROXY: excepted }
    expect(environmentProxy(`http://${host}:8200`, env) !== undefined).toBe(through)
  })
})
