import { describe, expect, it } from 'vitest'
import { PathMap } from './path-map.ts'

const map = new PathMap(
  new Map([
    ['/vault', '/run/vol/all'],
    ['/vault/secrets', '/run/vol/secrets'],
    ['/home/vault', '/run/vol/home'],
    ['/bin/vault', '/run/bin/vault'],
  ]),
)

describe('path map', () => {
  it.each([
    ['/vault/secrets/config', '/run/vol/secrets/config'],
    ['/vault/secrets', '/run/vol/secrets'],
    ['/vault/secretsandmore', '/run/vol/all/secretsandmore'],
    ['/vault', '/run/vol/all'],
    ['/vaults/x', '/vaults/x'],
    ['/vault.d', '/vault.d'],
    ['/my/vault/secrets', '/my/vault/secrets'],
    ['-config=/home/vault/config.json', '-config=/run/vol/home/config.json'],
    ['x >/home/vault/a && cat "/vault/secrets/b"', 'x >/run/vol/home/a && cat "/run/vol/secrets/b"'],
    ['/bin/vault token revoke', '/run/bin/vault token revoke'],
    ['/usr/bin/vault', '/usr/bin/vault'],
    ['/a:/vault/secrets:/b', '/a:/run/vol/secrets:/b'],
    ['https://127.0.0.1:8200/vault/secrets', 'https://127.0.0.1:8200/vault/secrets'],
    ['secret/vault/secrets', 'secret/vault/secrets'],
    ['file:///vault/secrets/x', 'file:///run/vol/secrets/x'],
    ['nothing', 'nothing'],
  ])('%s is %s', (text, result) => expect(map.text(text)).toBe(result))

  it('what was put in is not replaced again', () => {
    const nested = new PathMap(
      new Map([
        ['/a', '/b/x'],
        ['/b', '/a/y'],
      ]),
    )
    expect(nested.text('/a/1 /b/2')).toBe('/b/x/1 /a/y/2')
  })

  it('replaces in every text of an encoded document, quotes in folder names included', () => {
    const odd = new PathMap(new Map([['/vault/secrets', '/run/a "b"']]))
    const document = { template: [{ destination: '/vault/secrets/c', n: 1 }], x: [true, null] }
    const encoded = Buffer.from(JSON.stringify(document)).toString('base64')
    const decoded = JSON.parse(Buffer.from(odd.base64Json(encoded) ?? '', 'base64').toString('utf8'))
    expect(decoded).toEqual({ template: [{ destination: '/run/a "b"/c', n: 1 }], x: [true, null] })
    expect(odd.base64Json('not base64 of JSON')).toBeUndefined()
  })
})
