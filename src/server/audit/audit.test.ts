import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { RawJson } from '../../lib/json/value.ts'
import { silentLog } from '../../lib/log.ts'
import { systemRandom } from '../../lib/random.ts'
import type { AuditedResponse } from '../contracts/audit.ts'
import type { AuditDevice } from '../contracts/devices.ts'
import { fakeAudited, fakeAuth } from '../contracts/fake-audited.ts'
import { fakeMount } from '../contracts/fake-call.ts'
import { FakeRows } from '../contracts/fake-rows.ts'
import { AuditBroker } from './broker/audit-broker.ts'
import { fileAudit } from './file/file.ts'
import { localAudit } from './verify/local-audit.ts'

const root = mkdtempSync(join(tmpdir(), 'coffer-audit-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const brokers: AuditBroker[] = []
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close()
})

const auth = fakeAuth({ clientToken: 'canary-token', accessor: 'canary-accessor', displayName: 'app', entityId: 'e1' })
const request = fakeAudited({
  id: 'r',
  operation: 'update',
  path: 'secret/data/x',
  mount: fakeMount(),
  data: { value: 'canary-value', deep: { list: ['canary-deep', new RawJson('{"x":"canary-raw"}')] } },
  headers: { 'x-secret': 'canary-header' },
  auth,
})
const wrap = {
  token: 'canary-wrap',
  accessor: 'canary-wrap-a',
  ttlMs: 1,
  createdAt: 0,
  creationPath: 'p',
  wrappedAccessor: 'canary-inner',
}
const response: AuditedResponse = {
  at: 1,
  data: { keys: ['canary-key'] },
  warnings: [],
  auth: { ...auth, clientToken: 'canary-made' },
  wrap,
}

let count = 0
const setUp = (types: Record<string, () => AuditDevice> = {}) => {
  count += 1
  const rows = new FakeRows()
  const path = join(root, `audit-${count}.log`)
  const clock = new FakeClock()
  const devices = {
    file: fileAudit({ directories: [root], stdout: new PassThrough() }),
    ...Object.fromEntries(Object.entries(types).map(([type, open]) => [type, { type, open: async () => open() }])),
  }
  const start = async (node: string) => {
    const broker = new AuditBroker({ rows, clock, random: systemRandom, log: silentLog, devices, node })
    brokers.push(broker)
    await broker.refresh()
    return broker
  }
  return { rows, path, clock, start }
}
const prove = async (broker: AuditBroker, files: string[]) => {
  const found = await broker.evidence()
  if (!found) throw new Error('nothing was audited')
  return localAudit.verify({ files, key: found.key, publicKey: found.publicKey, heads: found.heads })
}

describe('files', () => {
  it('of two brokers over restarts verify, with the server and with the public key alone; one changed byte is found', async () => {
    const { path, start } = setUp()
    const one = await start('one')
    await one.enable('file', { type: 'file', options: { file_path: path } })
    const two = await start('two')
    for (let i = 0; i < 20; i += 1) await Promise.all([one.request(request), two.exchange(request, response)])
    await one.close()
    const again = await start('one')
    await again.request(request)
    await Promise.all([two.close(), again.close()])
    expect(await prove(one, [path])).toEqual({
      intact: true,
      lines: 20 + 40 + 1 + 3 * 2,
      chains: 3,
      checkpoints: 3,
      problems: [],
      more: 0,
      unprovenTail: 0,
    })
    const publicKey = (await one.evidence())?.publicKey ?? ''
    expect(await localAudit.verify({ files: [path], publicKey })).toMatchObject({ intact: true, unprovenTail: 0 })
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace('secret/data/x', 'secret/data/y'))
    expect((await prove(one, [path])).problems).toMatchObject([{ kind: 'altered', file: path }])
    expect((await localAudit.verify({ files: [path], publicKey })).problems).toMatchObject([{ kind: 'altered' }])
  })

  it('that were moved away or copied and truncated, and compressed, verify together; without one they do not', async () => {
    const { path, start } = setUp()
    const broker = await start('one')
    await broker.enable('file', { type: 'file', options: { file_path: path } })
    await broker.exchange(request, response)
    renameSync(path, `${path}.2`)
    await broker.request(request)
    await broker.reopen()
    await broker.exchange(request, response)
    copyFileSync(path, `${path}.1`)
    truncateSync(path, 0)
    await broker.exchange(request, response)
    await broker.close()
    writeFileSync(`${path}.2.gz`, gzipSync(readFileSync(`${path}.2`)))
    const all = [path, `${path}.1`, `${path}.2.gz`]
    expect(await prove(broker, all)).toMatchObject({ intact: true, lines: 9, problems: [] })
    expect((await prove(broker, [path, `${path}.2.gz`])).problems).toMatchObject([{ kind: 'removed' }])
    expect((await prove(broker, all.slice(1))).problems).toMatchObject([{ kind: 'removed' }])
    appendFileSync(`${path}.1`, readFileSync(`${path}.1`))
    expect((await prove(broker, all)).problems.map(({ kind }) => kind)).toContain('repeated')
  })

  it('of one device do not miss the chains of another', async () => {
    const { path, start } = setUp()
    const broker = await start('one')
    await broker.enable('file', { type: 'file', options: { file_path: path } })
    await broker.enable('other', { type: 'file', options: { file_path: `${path}.other` } })
    await broker.exchange(request, response)
    await broker.close()
    expect(await prove(broker, [path])).toMatchObject({ intact: true, chains: 1, problems: [] })
    expect(await prove(broker, [path, `${path}.other`])).toMatchObject({ intact: true, chains: 2, problems: [] })
  })

  it('can be searched', async () => {
    const { path, start } = setUp()
    const broker = await start('one')
    await broker.enable('file', { type: 'file', options: { file_path: path } })
    await broker.exchange(request, response)
    await broker.exchange({ ...request, id: 'r2', data: undefined }, response)
    const ids: string[] = []
    const hashes = [await broker.hash('file', 'canary-value')]
    for await (const { requestId } of localAudit.query([path], { hashes })) ids.push(requestId)
    expect(ids).toEqual(['r', 'r'])
  })
})

describe('no secret in clear', () => {
  it('is in what any device gets, unless it was asked for', async () => {
    const sinks: Record<string, string> = { socket: '', syslog: '', http: '', raw: '' }
    const types = Object.fromEntries(
      Object.keys(sinks).map((type) => [
        type,
        () => ({
          type,
          write: async (lines: readonly Uint8Array[]) =>
            void (sinks[type] = (sinks[type] ?? '') + Buffer.concat(lines)),
          close: async () => {},
        }),
      ]),
    )
    const { path, start, rows, clock } = setUp(types)
    const broker = await start('one')
    await broker.enable('file', { type: 'file', options: { file_path: path } })
    for (const type of ['socket', 'syslog', 'http']) await broker.enable(type, { type })
    await broker.enable('raw', { type: 'raw', options: { log_raw: 'true' } })
    await broker.setHeader('x-secret', true)
    await broker.exchange(request, response)
    await broker.request({ ...request, error: 'permission denied' })
    await clock.advance(61_000)
    await broker.close()
    for (const text of [readFileSync(path, 'utf8'), sinks['socket'], sinks['syslog'], sinks['http']]) {
      expect(text).toContain('"type":"response"')
      expect(text).not.toContain('canary')
    }
    expect(sinks['raw']).toContain('canary-value')
    expect([...rows.rows.values()].map(({ value }) => Buffer.from(value).toString()).join()).not.toContain('canary')
  })
})
