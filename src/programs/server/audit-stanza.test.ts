import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { parseHcl } from '../../lib/hcl/parse.ts'
import { createAuditDevices } from './audit-devices.ts'
import { readAuditStanzas } from './audit-stanza.ts'

const read = (text: string) => readAuditStanzas(parseHcl(text))

describe('audit', () => {
  it.each([
    ['audit "file" "to/disk" { description = "d" options { file_path = "/a" mode = "0640" log_raw = false } }'],
    [
      'audit "to-disk" { type = "file" path = "to/disk/" description = "d" options = { file_path = "/a" mode = "0640" log_raw = "false" } }',
    ],
    ['{"audit":{"file":{"to/disk":{"description":"d","options":{"file_path":"/a","mode":"0640","log_raw":false}}}}}'],
    [
      '{"audit":[{"file":[{"to/disk":[{"description":"d","options":[{"file_path":"/a","mode":"0640","log_raw":"false"}]}]}]}]}',
    ],
  ])('is read from %s', (text) => {
    expect(read(text)).toEqual([
      {
        type: 'file',
        path: 'to/disk/',
        description: 'd',
        options: { file_path: '/a', mode: '0640', log_raw: 'false' },
        local: false,
      },
    ])
  })

  it('without path is at its type; there may be several', () => {
    const found = read(
      'audit "syslog" {}\naudit "file" "b" { options { file_path = "stdout" } local = true }\nui = true',
    )
    expect(found.map(({ type, path, local }) => [type, path, local])).toEqual([
      ['syslog', 'syslog/', false],
      ['file', 'b/', true],
    ])
  })

  it.each([
    ['audit "file" "a" {}\naudit "socket" "a" {}', 'there are two audit devices at "a/"'],
    ['audit "kafka" "a" {}', 'audit "kafka" is not supported: file, socket, syslog, http are'],
    ['audit "file" "a" { file_path = "/a" }', 'unknown key "file_path" in audit'],
    ['audit "file" "/" {}', 'audit needs a path'],
    ['audit "file" "a" { options = 1 }', '"options" must be a block'],
    ['audit "file" "a" { options { file_path = ["x"] } }', '"file_path" must be a string, a number, true or false'],
    ['audit "file" "a" { options { mode = 0640 } }', '"mode" must be an octal mode in quotes'],
    ['{"audit":{"file":{"a":{"options":{"mode":640}}}}}', '"mode" must be an octal mode in quotes'],
    ['audit "file" "a" { local = "x" }', '"local" must be true or false'],
    ['audit "file" "a" { description = 1 }', '"description" must be a string'],
    ['audit = 1', '"audit" must be a block'],
  ])('%s is refused', (text, why) => {
    expect(() => read(text)).toThrow(why)
  })
})

describe('the devices', () => {
  it('may go where the configuration itself sends them, and nowhere else', async () => {
    const allowed: (readonly string[])[] = []
    let declared = read(
      'audit "http" "h" { options { uri = "http://127.0.0.1/x" } }\naudit "syslog" "s" { options { address = "tcp://10.0.0.2:601" } }',
    )
    const devices = createAuditDevices({
      directories: [],
      destinations: ['10.0.0.1:514'],
      declared: () => declared,
      stdout: new PassThrough(),
      clock: new FakeClock(),
      hostname: 'h',
      pid: 1,
      dial: (allow) => {
        allowed.push(allow)
        return { request: () => Promise.reject(new Error('not dialled')), close: () => {} }
      },
    })
    expect(allowed).toEqual([['10.0.0.1:514', '127.0.0.1:80', '10.0.0.2:601']])
    await (await devices['http']?.open({ uri: 'http://127.0.0.1/y' }))?.close()
    await expect(devices['http']?.open({ uri: 'http://127.0.0.1:81/' })).rejects.toMatchObject({ status: 400 })
    await expect(devices['socket']?.open({ address: '127.0.0.1:22' })).rejects.toMatchObject({ status: 400 })
    await expect(devices['file']?.open({ file_path: '/etc/passwd' })).rejects.toMatchObject({ status: 400 })
    declared = read('audit "http" "h" { options { uri = "http://127.0.0.1:82/x" } }')
    await (await devices['http']?.open({ uri: 'http://127.0.0.1:82/y' }))?.close()
    await expect(devices['http']?.open({ uri: 'http://127.0.0.1/y' })).rejects.toMatchObject({ status: 400 })
    expect(allowed).toHaveLength(2)
  })
})
