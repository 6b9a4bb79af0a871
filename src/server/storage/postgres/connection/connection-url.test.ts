import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { ConnectionUrlError, parseConnectionUrl, tlsOptions } from './connection-url.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-connection-url-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a connection_url', () => {
  it('gives hosts, user, password, database and limits', () => {
    const target = parseConnectionUrl(
      'postgresql://us%40er:p%3Aw%2Fd@a.example:6432,[fd00::1],b/data%20base?sslmode=verify-full&connect_timeout=7&application_name=x',
    )
    expect(target).toMatchObject({
      hosts: [
        { host: 'a.example', port: 6432 },
        { host: 'fd00::1', port: 5432 },
        { host: 'b', port: 5432 },
      ],
      user: 'us@er',
      database: 'data base',
      sslMode: 'verify-full',
      connectTimeoutMs: 7000,
      applicationName: 'x',
    })
    expect(target.password?.reveal()).toBe('p:w/d')
  })

  it('has defaults: the port, the database of the user, no TLS to this host and TLS to others', () => {
    expect(parseConnectionUrl('postgres://u@localhost')).toMatchObject({
      hosts: [{ host: 'localhost', port: 5432 }],
      database: 'u',
      sslMode: 'disable',
      connectTimeoutMs: 5000,
    })
    expect(parseConnectionUrl('postgres://u@db.example/x').sslMode).toBe('require')
    expect(parseConnectionUrl('postgres://u@localhost,db.example/x').sslMode).toBe('require')
    expect(parseConnectionUrl('postgres://u@/x?host=/run/postgresql&port=6432')).toMatchObject({
      hosts: [{ host: '/run/postgresql', port: 6432 }],
      sslMode: 'disable',
    })
  })

  it.each([
    [
      'postgres://u:canary@h/d?options=-c%20x',
      'the parameter "options" of connection_url is not accepted: application_name,',
    ],
    ['postgres://u:canary@h/d?sslpassword=canary', 'the parameter "sslpassword" of connection_url is not accepted'],
    ['postgres://u:canary@h/d?sslmode=prefer', 'sslmode must be one of disable, require, verify-ca, verify-full'],
    ['postgres://u:canary@h/d?sslmode=disable&sslrootcert=/x', 'names certificates, but there is no TLS'],
    ['postgres://u:canary@h/d?sslcert=/x', 'sslcert and sslkey go together'],
    ['postgres://u:canary@h/d?sslmode=require&sslmode=disable', 'the parameter "sslmode" stands twice'],
    ['postgres://u:canary@h/d?target_session_attrs=prefer-standby', 'a standby is never read'],
    ['postgres://u:canary@h/d?connect_timeout=0', 'connect_timeout must be 1 to 600 seconds'],
    ['postgres://u:canary@h/d?host=other', 'names hosts twice'],
    ['postgres://u:canary@h:99999/d', 'a port in connection_url must be 1 to 65535'],
    ['postgres://u:canary@a:b:c/d', 'a host in connection_url is none'],
    ['postgres://u:can%zzary@h/d', 'the password in connection_url has a % that two hex digits do not follow'],
    ['postgres://u:can%00ary@h/d', 'the password in connection_url has a NUL'],
    ['postgres://:canary@h/d', 'connection_url names no user'],
    ['postgres://h/d', 'connection_url names no user'],
    ['postgres://u:can#ary@h/d', 'connection_url must look like'],
    ['mysql://u:canary@h/d', 'connection_url must look like'],
    ['host=h user=u password=canary', 'connection_url must look like'],
  ])('%s is refused in words that do not show it', (url, words) => {
    const refusal = () => parseConnectionUrl(url)
    expect(refusal).toThrow(ConnectionUrlError)
    expect(refusal).toThrow(words)
    expect(refusal).not.toThrow(/can(?:ary|[%#])/)
  })

  it('brings any user and password through its encoding', () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1 })
      .filter((s) => !s.includes('\0') && !/\p{Surrogate}/u.test(s))
    fc.assert(
      fc.property(text, text, (user, password) => {
        const target = parseConnectionUrl(`postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h/d`)
        expect([target.user, target.password?.reveal()]).toEqual([user, password])
      }),
    )
  })
})

describe('TLS', () => {
  const of = (parameters: string) => tlsOptions(parseConnectionUrl(`postgres://u@db.example/d?${parameters}`))
  const pem = join(folder, 'root.pem')
  writeFileSync(pem, 'PEM')

  it('is as libpq has it: roots make `require` verify them, and only verify-full looks at the name', () => {
    expect(of('sslmode=disable')).toBe(false)
    expect(of('sslmode=require')).toEqual({ rejectUnauthorized: false })
    expect(of(`sslmode=require&sslrootcert=${pem}`)).toMatchObject({ rejectUnauthorized: true, ca: 'PEM' })
    expect(of('sslmode=verify-ca')).toMatchObject({ checkServerIdentity: expect.any(Function) })
    expect(of('sslmode=verify-full&sslrootcert=system')).toEqual({ rejectUnauthorized: true })
    expect(of(`sslcert=${pem}&sslkey=${pem}`)).toEqual({ rejectUnauthorized: false, cert: 'PEM', key: 'PEM' })
  })

  it('names a file that cannot be read', () => {
    expect(() => of('sslmode=verify-full&sslrootcert=/none.pem')).toThrow(
      'sslrootcert of connection_url cannot be read: /none.pem',
    )
  })
})
