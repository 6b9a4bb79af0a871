import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import { systemRandom } from '../../../../lib/random.ts'
import { commitId } from '../../../contracts/commit.ts'
import { StorageDown, type Stored } from '../../../contracts/storage.ts'
import { TestServer } from '../../../pipeline/test-server.ts'
import { crashing } from '../../../storage/test-crashing.ts'

const path = '/v1/sys/storage/raft/snapshot'
const force = `${path}-force`
const inTeam = { 'X-Vault-Namespace': 'team' }

async function binary(
  server: TestServer,
  method: string,
  target: string,
  body?: Uint8Array,
  token = server.root,
  more: { rawHeaders?: readonly string[]; onGone?: (abort: () => void) => void } = {},
) {
  const answer = await server.core.handler({
    method,
    target,
    remote: { address: '127.0.0.1', port: 1 },
    ...(body ? { body } : {}),
    ...more,
    rawHeaders: ['X-Vault-Token', token, ...(more.rawHeaders ?? [])],
  })
  const parts: Uint8Array[] = []
  if (typeof answer.body === 'string') parts.push(Buffer.from(answer.body))
  else if (answer.body instanceof Uint8Array) parts.push(answer.body)
  else for await (const part of answer.body) parts.push(part)
  const bytes = Buffer.concat(parts)
  return { status: answer.status, headers: answer.headers, bytes, errors: errorsIn(bytes) }
}

function errorsIn(bytes: Buffer): string[] {
  try {
    return JSON.parse(bytes.toString()).errors
  } catch {
    return []
  }
}

async function rowsOf(server: TestServer): Promise<Map<string, Stored>> {
  const rows = new Map<string, Stored>()
  for await (const [key, row] of server.backend.snapshot(new AbortController().signal)) rows.set(key, row)
  return rows
}

/** Name and content of each member. */
function members(snapshot: Uint8Array): Map<string, Buffer> {
  const tar = gunzipSync(snapshot)
  const found = new Map<string, Buffer>()
  for (let at = 0; tar[at] !== 0 && at < tar.length; ) {
    const name = tar.toString('latin1', at, at + 100).replace(/\0.*$/s, '')
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8)
    found.set(name, tar.subarray(at + 512, at + 512 + size))
    at += 512 + Math.ceil(size / 512) * 512
  }
  return found
}

function archive(parts: ReadonlyMap<string, Buffer> | readonly (readonly [string, Buffer])[], kind = '0'): Buffer {
  const blocks: Buffer[] = []
  for (const [name, body] of parts) {
    const head = Buffer.alloc(512)
    head.write(name, 0, 'latin1')
    head.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
    head.write('        ', 148, 'latin1')
    head.write(kind, 156, 'latin1')
    const sum = head.reduce((total, byte) => total + byte, 0)
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    blocks.push(head, body, Buffer.alloc((512 - (body.length % 512)) % 512))
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]))
}

/** The snapshot with a changed member and sums that fit it. */
function changed(snapshot: Uint8Array, name: string, change: (body: Buffer) => Buffer): Buffer {
  const parts = members(snapshot)
  parts.set(name, change(Buffer.from(parts.get(name) ?? '')))
  const sum = (member: string) =>
    createHash('sha256')
      .update(parts.get(member) ?? '')
      .digest('hex')
  if (name === 'state.bin') {
    const meta = JSON.parse(String(parts.get('meta.json')))
    parts.set('meta.json', Buffer.from(JSON.stringify({ ...meta, Size: parts.get(name)?.length })))
  }
  parts.set('SHA256SUMS', Buffer.from(`${sum('meta.json')}  meta.json\n${sum('state.bin')}  state.bin\n`))
  return archive(parts)
}

async function settled(server: TestServer): Promise<boolean> {
  return (await server.call('GET', 'sys/seal-status', undefined, '')).body.sealed
}

let server: TestServer
let snapshot: Buffer

beforeEach(async () => {
  server = await TestServer.start()
  await server.call('PUT', 'test/row/a', { value: 'canary-before' })
  snapshot = (await binary(server, 'GET', path)).bytes
})

describe('a snapshot', () => {
  it('is a gzip of the four members, with sums that fit and no secret', async () => {
    const { status, headers, bytes } = await binary(server, 'GET', path)
    expect(status).toBe(200)
    expect(headers).toMatchObject({ 'Content-Type': 'application/gzip', 'Cache-Control': 'no-store' })
    expect(headers['Content-Disposition']).toContain('attachment')
    const parts = members(bytes)
    expect([...parts.keys()]).toEqual(['meta.json', 'state.bin', 'SHA256SUMS', 'SHA256SUMS.sealed'])
    const sum = (name: string) =>
      createHash('sha256')
        .update(parts.get(name) ?? '')
        .digest('hex')
    expect(String(parts.get('SHA256SUMS'))).toBe(`${sum('meta.json')}  meta.json\n${sum('state.bin')}  state.bin\n`)
    const meta = JSON.parse(String(parts.get('meta.json')))
    expect(meta).toMatchObject({ Version: 1, Format: 1, Term: 1, Storage: 'inmem', CofferVersion: '0.1.0' })
    expect(meta.Size).toBe(parts.get('state.bin')?.length)
    const all = gunzipSync(bytes).toString('latin1')
    for (const secret of ['canary-before', server.root, server.key]) expect(all).not.toContain(secret)
  })

  it('needs no more than reading, as in Vault', async () => {
    await server.policy('backup', 'path "sys/storage/raft/snapshot" { capabilities = ["read"] }')
    const backup = await server.token(['backup'])
    expect((await binary(server, 'GET', path, undefined, backup)).status).toBe(200)
    expect((await binary(server, 'GET', path, undefined, await server.token(['default']))).status).toBe(403)
    expect((await binary(server, 'GET', path, undefined, '')).status).toBe(403)
    expect((await binary(server, 'POST', path, snapshot, backup)).status).toBe(403)
  })

  it('is restored by nobody without sudo, and nothing is read of what they send', async () => {
    const capabilities = 'capabilities = ["create", "update"]'
    await server.policy('w', `path "sys/storage/raft/*" { ${capabilities} }`)
    const token = await server.token(['w'])
    for (const target of [path, force]) {
      let read = false
      const stream = (async function* () {
        read = true
        yield snapshot
      })()
      const answer = await server.core.handler({
        method: 'POST',
        target,
        rawHeaders: ['X-Vault-Token', token],
        remote: { address: '127.0.0.1', port: 1 },
        stream,
      })
      expect([answer.status, read]).toEqual([403, false])
    }
  })

  it('exists in the root namespace alone', async () => {
    await server.call('POST', 'sys/namespaces/team')
    for (const target of ['/v1/team/sys/storage/raft/snapshot', '/v1/team/sys/storage/raft/snapshot-force']) {
      expect((await binary(server, 'POST', target, Buffer.from('{}'))).status).toBeGreaterThanOrEqual(400)
    }
    expect((await binary(server, 'GET', '/v1/team/sys/storage/raft/snapshot')).status).toBeGreaterThanOrEqual(400)
  })
})

describe('a restore', () => {
  it('brings everything back as it was and seals every node; the same keys unseal', async () => {
    // What a housekeeper writes by itself, whenever it begins.
    const own = ['core/leader', 'core/housekeeper', 'core/sealed', 'core/generation']
    const before = await rowsOf(server)
    const other = await server.another()
    await server.call('PUT', 'test/row/a', { value: 'after' })
    await server.call('PUT', 'test/row/new', { value: 'after' })
    const late = await server.token(['root'])
    expect(await binary(server, 'POST', path, snapshot)).toMatchObject({ status: 204 })
    await server.core.seal.close()
    expect(await settled(server)).toBe(true)
    expect((await other.call('GET', 'test/row/a')).status).toBe(503)
    expect(await settled(other)).toBe(true)
    const after = await rowsOf(server)
    for (const [key, row] of before) {
      if (!own.includes(key) && !key.startsWith('core/nodes')) expect([key, after.get(key)]).toEqual([key, row])
    }
    for (const node of [server, other]) {
      await node.call('PUT', 'sys/unseal', { key: server.key }, '')
      expect((await node.call('GET', 'test/row/a')).body.data).toEqual({ value: 'canary-before' })
      expect((await node.call('GET', 'test/row/new')).status).toBe(404)
      expect((await node.call('GET', 'auth/token/lookup-self', undefined, late)).status).toBe(403)
    }
  })

  it('undoes later revocations and names them, and leases of its time end when they are due', async () => {
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    await server.call('POST', 'sys/namespaces/team')
    await server.call(
      'POST',
      'sys/policies/acl/p',
      { policy: 'path "x" { capabilities = ["read"] }' },
      undefined,
      inTeam,
    )
    await server.call('POST', 'sys/mounts/gone', { type: 'test' })
    const token = await server.token(['root'], { ttl: '1h' })
    const { accessor } = (await server.call('GET', 'auth/token/lookup-self', undefined, token)).body.data
    const { lease_id: lease } = (await server.call('GET', 'test/creds/db', undefined, token)).body
    expect(server.world.alive).toContain('db')
    const taken = (await binary(server, 'GET', path)).bytes
    await server.call('POST', 'auth/token/revoke', { token })
    await server.call('DELETE', 'sys/policies/acl/p', undefined, undefined, inTeam)
    await server.call('DELETE', 'sys/mounts/gone')
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(403)
    const answer = await binary(server, 'PUT', path, taken)
    expect(answer.status).toBe(200)
    const { data, warnings } = JSON.parse(answer.bytes.toString())
    const one = (name: string) => ({ count: 1, named: [name], unnamed: 0 })
    // The token, and what was lent to it.
    const undone = { tokens: one(accessor), leases: one(lease), mounts: one('gone/'), policies: one('team/p') }
    expect(data).toEqual({ snapshot: expect.any(String), taken_at: expect.any(String), undone })
    expect(warnings).toEqual([
      expect.stringMatching(/^1 tokens .* in "undone"$/),
      expect.stringMatching(/^1 leases .* in "undone"$/),
      expect.stringMatching(/^1 mounts .*: gone\/$/),
      expect.stringMatching(/^1 policies .*: team\/p$/),
    ])
    // The audit hashes it, as everywhere.
    expect(JSON.stringify(server.device.lines)).not.toContain(accessor)
    expect(answer.bytes.toString()).not.toContain(token)
    await server.core.seal.close()
    await server.call('PUT', 'sys/unseal', { key: server.key }, '')
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
    server.world.revoked.length = 0
    for (let i = 0; i < 100 && server.world.revoked.length === 0; i += 1) await server.clock.advance(60_000)
    expect(server.world.revoked).toEqual(['db'])
  })

  it('names what it undoes though the keys were rotated before and after the snapshot', async () => {
    await server.call('POST', 'sys/rotate')
    const token = await server.token(['root'])
    const taken = (await binary(server, 'GET', path)).bytes
    await server.call('POST', 'sys/rotate')
    await server.call('POST', 'auth/token/revoke', { token })
    const { data } = JSON.parse((await binary(server, 'POST', path, taken)).bytes.toString())
    expect(data.undone).toMatchObject({ tokens: { count: 1, named: [expect.any(String)] } })
  })

  it('of keys that this storage lost counts what it can not read, and reads the keyring not for each', async () => {
    await server.call('POST', 'sys/rotate')
    for (let i = 0; i < 5; i += 1) await server.token(['root'])
    const newer = (await binary(server, 'GET', path)).bytes
    expect((await binary(server, 'POST', path, snapshot)).status).toBe(204)
    await server.core.seal.close()
    await server.call('PUT', 'sys/unseal', { key: server.key }, '')
    let reads = 0
    const read = server.backend.read.bind(server.backend)
    server.backend.read = (keys) => {
      if (keys.some(({ key }) => key === 'core/keyring')) reads += 1
      return read(keys)
    }
    const { status, bytes } = await binary(server, 'POST', force, newer)
    expect(status).toBe(200)
    expect(JSON.parse(bytes.toString()).data.undone).toEqual({ tokens: { count: 5, named: [], unnamed: 5 } })
    expect(reads).toBeLessThan(4)
  })

  it('is refused before anything happens when its answer should be wrapped', async () => {
    const before = await rowsOf(server)
    for (const target of [path, force]) {
      const wrapped = { rawHeaders: ['X-Vault-Wrap-TTL', '60'] }
      const { status, errors } = await binary(server, 'POST', target, snapshot, server.root, wrapped)
      expect(status).toBe(400)
      expect(errors[0]).toContain('the answer of a restore cannot be wrapped')
    }
    expect(await rowsOf(server)).toEqual(before)
    const plain = { rawHeaders: ['X-Vault-Wrap-TTL', '0'] }
    expect((await binary(server, 'POST', path, snapshot, server.root, plain)).status).toBe(204)
  })

  it('does not happen when the client goes away while it is compared', async () => {
    const before = await rowsOf(server)
    let gone = () => {}
    const list = server.backend.list.bind(server.backend)
    server.backend.list = (prefix, page) => {
      if (prefix === 'ns/') gone()
      return list(prefix, page)
    }
    const onGone = (abort: () => void) => {
      gone = abort
    }
    expect((await binary(server, 'POST', path, snapshot, server.root, { onGone })).status).toBe(500)
    expect(await rowsOf(server)).toEqual(before)
    expect(await settled(server)).toBe(false)
  })

  it('of a storage that can not be compared happens all the same, and says so', async () => {
    const list = server.backend.list.bind(server.backend)
    server.backend.list = (prefix, page) =>
      prefix === 'ns/' ? Promise.reject(new StorageDown('a damaged page')) : list(prefix, page)
    const answer = await binary(server, 'POST', path, snapshot)
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.bytes.toString())).toMatchObject({
      data: { undone: null },
      warnings: [expect.stringContaining('is not known')],
    })
    await server.core.seal.close()
    expect(await settled(server)).toBe(true)
  })

  it('by force mends a storage of which not even the configuration of the seal can be read', async () => {
    await server.backend.commit({
      id: commitId(systemRandom),
      checks: [],
      put: [{ key: 'core/seal-config', value: Buffer.from('damaged') }],
    })
    const { status, bytes } = await binary(server, 'POST', force, snapshot)
    expect(status).toBe(200)
    expect(JSON.parse(bytes.toString()).data.undone).toBeNull()
    await server.core.seal.close()
    expect((await server.call('PUT', 'sys/unseal', { key: server.key }, '')).body.sealed).toBe(false)
  })

  it('of a snapshot from before a rotation of the keys works', async () => {
    await server.call('POST', 'sys/rotate')
    await server.call('PUT', 'test/row/a', { value: 'after' })
    expect((await binary(server, 'POST', path, snapshot)).status).toBe(204)
    await server.core.seal.close()
    await server.call('PUT', 'sys/unseal', { key: server.key }, '')
    expect((await server.call('GET', 'test/row/a')).body.data).toEqual({ value: 'canary-before' })
    expect((await server.call('PUT', 'test/row/a', { value: 'again' })).status).toBe(204)
  })

  it("of another cluster's is refused, and with force brings that cluster's keys", async () => {
    const theirs = await TestServer.start()
    await theirs.call('PUT', 'test/row/a', { value: 'theirs' })
    const foreign = (await binary(theirs, 'GET', path)).bytes
    const before = await rowsOf(server)
    expect(await binary(server, 'POST', path, foreign)).toMatchObject({
      status: 400,
      errors: [
        'could not verify hash file, possibly the snapshot is using a different set of unseal keys; use the snapshot-force API to bypass this check',
      ],
    })
    expect(await rowsOf(server)).toEqual(before)
    const forced = await binary(server, 'POST', force, foreign)
    expect(forced.status).toBe(200)
    expect(JSON.parse(forced.bytes.toString())).toMatchObject({
      data: { undone: null },
      warnings: [expect.stringContaining('is not known: look into the audit files')],
    })
    await server.core.seal.close()
    expect((await server.call('PUT', 'sys/unseal', { key: server.key }, '')).status).toBe(400)
    expect((await server.call('PUT', 'sys/unseal', { key: theirs.key }, '')).body.sealed).toBe(false)
    expect((await server.call('GET', 'test/row/a', undefined, theirs.root)).body.data).toEqual({ value: 'theirs' })
    expect((await server.call('GET', 'test/row/a')).status).toBe(403)
    await theirs.close()
  })

  it('with changed contents is refused though its plain sums fit', async () => {
    const turned = changed(snapshot, 'state.bin', (state) => {
      state[state.length - 30] = (state.at(-30) ?? 0) ^ 1
      return state
    })
    const answer = await binary(server, 'POST', path, turned)
    expect(answer.status).toBe(400)
    expect(answer.errors[0]).toMatch(/could not verify hash file/)
  })

  it('writes its request to the audit log before anything happens', async () => {
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    const taken = (await binary(server, 'GET', path)).bytes
    server.device.refuse = (line) => line['type'] === 'request'
    const before = await rowsOf(server)
    expect((await binary(server, 'POST', path, taken)).status).toBe(500)
    expect((await rowsOf(server)).get('core/sealed')).toEqual(before.get('core/sealed'))
    server.device.refuse = () => false
    expect((await binary(server, 'POST', path, taken)).status).toBe(204)
    expect(server.device.lines.filter((line) => JSON.stringify(line).includes('storage/raft/snapshot'))).toHaveLength(4)
  })
})

describe('a restore whose answer no audit device takes', () => {
  it('is answered with 500, which says that it happened, and the log says what it undid', async () => {
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    const token = await server.token(['root'], { ttl: '1h' })
    const { accessor } = (await server.call('GET', 'auth/token/lookup-self', undefined, token)).body.data
    const taken = (await binary(server, 'GET', path)).bytes
    await server.call('POST', 'auth/token/revoke', { token })
    server.device.refuse = (line) => line['type'] === 'response'
    const { status, bytes, errors } = await binary(server, 'POST', path, taken)
    expect(status).toBe(500)
    expect(errors).toEqual([
      expect.stringMatching(
        /^internal error, and yet it happened: storage restored .* sealed: unseal it .* only how many: look into the audit files .* -since=\d{4}-/,
      ),
    ])
    expect(bytes.toString()).not.toContain(accessor)
    expect(server.logged.find(({ event }) => event === 'audit refused')).toMatchObject({
      level: 'error',
      fields: { happened: expect.stringContaining('storage restored'), snapshot: expect.any(String), tokensAlive: 1 },
    })
    for (const secret of [accessor, token, server.key]) expect(JSON.stringify(server.logged)).not.toContain(secret)
    server.device.refuse = () => false
    await server.core.seal.close()
    expect(await settled(server)).toBe(true)
    await server.call('PUT', 'sys/unseal', { key: server.key }, '')
    expect((await server.call('GET', 'test/row/a', undefined, token)).status).toBe(200)
  })

  it('says that what it undid is not known when it is not', async () => {
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    const taken = (await binary(server, 'GET', path)).bytes
    const list = server.backend.list.bind(server.backend)
    server.backend.list = (prefix, page) =>
      prefix === 'ns/' ? Promise.reject(new StorageDown('a damaged page')) : list(prefix, page)
    server.device.refuse = (line) => line['type'] === 'response'
    const { status, errors } = await binary(server, 'POST', path, taken)
    expect([status, errors]).toEqual([500, [expect.stringContaining('alive again is not known: look into the audit')]])
    expect(server.logged.find(({ event }) => event === 'audit refused')?.fields).toMatchObject({ undone: 'not known' })
  })

  it('that did not happen says nothing of the kind', async () => {
    await server.call('POST', 'sys/audit/t', { type: 'test' })
    server.device.refuse = (line) => line['type'] === 'response'
    for (const sent of [snapshot.subarray(0, 40), Buffer.alloc(0)]) {
      const { status, errors } = await binary(server, 'POST', path, sent)
      expect([status, errors]).toEqual([500, ['internal error']])
    }
    expect(server.logged.filter(({ event }) => event === 'audit refused').map(({ fields }) => fields)).toEqual(
      Array(2).fill({ request: expect.any(String), error: expect.any(String) }),
    )
  })
})

const cut = 'the snapshot is damaged: it ends too early; take another one'

describe('a restore of what is no whole snapshot changes nothing', () => {
  const flip = (bytes: Buffer, at: number) => {
    const copy = Buffer.from(bytes)
    copy[at] = (copy[at] ?? 0) ^ 0x40
    return copy
  }
  const unzipped = (bytes: Buffer): Buffer | undefined => {
    try {
      return gunzipSync(bytes)
    } catch {
      return undefined
    }
  }
  const meta = (more: object) => (body: Buffer) => Buffer.from(JSON.stringify({ ...JSON.parse(String(body)), ...more }))
  const cases: readonly [string, () => Buffer, string | RegExp][] = [
    ['nothing', () => Buffer.alloc(0), cut],
    ['no gzip', () => Buffer.from('{"a":1}'), 'this is not a snapshot: it is not compressed with gzip'],
    ['cut in the middle', () => snapshot.subarray(0, snapshot.length >> 1), cut],
    ['without its last byte', () => snapshot.subarray(0, -1), cut],
    ['a flipped byte', () => flip(snapshot, snapshot.length >> 1), /^the snapshot is damaged: /],
    ['no tar', () => gzipSync(Buffer.alloc(2048, 7)), /it is not a tar file/],
    ['an empty tar', () => archive([]), /it has no meta\.json/],
    [
      'no state',
      () => archive([...members(snapshot)].filter(([name]) => name !== 'state.bin')),
      /it has no state\.bin/,
    ],
    ['no sealed sums', () => archive([...members(snapshot)].slice(0, 3)), /it has no SHA256SUMS\.sealed/],
    ['another member', () => archive([...members(snapshot), ['../evil', Buffer.from('x')]]), /a member "\.\.\/evil"/],
    ['a member twice', () => archive([...members(snapshot), ...members(snapshot)]), /it has meta\.json twice/],
    ['a link', () => archive(members(snapshot), '2'), /is not a plain file/],
    [
      'a huge meta',
      () => changed(snapshot, 'meta.json', () => Buffer.alloc(100_000, 32)),
      /its meta\.json has 100000 bytes/,
    ],
    [
      'meta of Vault',
      () =>
        changed(snapshot, 'meta.json', () =>
          Buffer.from('{"Version":1,"ID":"bolt-snapshot","Index":4,"Term":3,"Size":9}'),
        ),
      /a snapshot of Vault or OpenBao/,
    ],
    ['no JSON', () => changed(snapshot, 'meta.json', () => Buffer.from('x')), /its meta\.json is not JSON/],
    [
      'a newer format',
      () => changed(snapshot, 'meta.json', meta({ Format: 2 })),
      /has format 2, this Coffer reads format 1/,
    ],
    ['other rows', () => changed(snapshot, 'meta.json', meta({ Rows: 1 })), /the number of rows/],
    ['another size', () => changed(snapshot, 'meta.json', meta({ Size: 1 })), /the size/],
    ['wrong sums', () => archive(new Map([...members(snapshot), ['SHA256SUMS', Buffer.from('x')]])), /the checksums/],
    [
      'a newer state',
      () =>
        changed(snapshot, 'state.bin', (state) => Buffer.concat([Buffer.from('coffer state 2\n'), state.subarray(15)])),
      /has state format 2/,
    ],
    [
      'another state',
      () => changed(snapshot, 'state.bin', (state) => Buffer.concat([Buffer.from('x'), state])),
      /not one of Coffer/,
    ],
    [
      'a short state',
      () => changed(snapshot, 'state.bin', (state) => state.subarray(0, -20)),
      /^the snapshot is damaged/,
    ],
    ['a long state', () => changed(snapshot, 'state.bin', (state) => Buffer.concat([state, state])), /follows the end/],
    [
      'a huge row',
      () =>
        changed(snapshot, 'state.bin', (state) => {
          state.writeUInt32BE(0x7fffffff, 17)
          return state
        }),
      /a row is too large/,
    ],
    [
      'no version',
      () =>
        changed(snapshot, 'state.bin', (state) => {
          state.write('zz', 21)
          return state
        }),
      /a row has no version/,
    ],
    [
      'more than its end',
      () => gzipSync(Buffer.concat([gunzipSync(snapshot), Buffer.from('x')])),
      /something follows its end/,
    ],
  ]

  it.each(cases)('%s', async (_, make, words) => {
    const before = await rowsOf(server)
    const sent = make()
    for (const target of [path, force]) {
      const { status, errors } = await binary(server, 'POST', target, sent)
      expect(status).toBe(400)
      if (typeof words === 'string') expect(errors).toEqual([words])
      else expect(errors[0]).toMatch(words)
    }
    expect(await rowsOf(server)).toEqual(before)
    expect((await server.call('GET', 'test/row/a')).status).toBe(200)
  })

  it('with any one byte flipped it is refused, or is the same', async () => {
    const before = await rowsOf(server)
    const whole = gunzipSync(snapshot)
    for (let at = 10; at < snapshot.length; at += 97) {
      const flipped = flip(snapshot, at)
      // Some bits between two blocks of gzip mean nothing.
      if (unzipped(flipped)?.equals(whole)) continue
      const { status, errors } = await binary(server, 'POST', path, flipped)
      expect([at, status, errors.length]).toEqual([at, 400, 1])
    }
    expect(await rowsOf(server)).toEqual(before)
  })

  it('without the rows that unsealing needs it is refused even with force', async () => {
    const empty = await TestServer.start()
    const rows = [...(await rowsOf(empty))].filter(([key]) => key !== 'core/keyring')
    const state = Buffer.concat([
      Buffer.from('coffer state 1\n'),
      ...rows.map(([key, { value, version }]) => {
        const head = Buffer.alloc(20)
        head.writeUInt16BE(Buffer.byteLength(key))
        head.writeUInt32BE(value.length, 2)
        head.write(version, 6)
        return Buffer.concat([head, Buffer.from(key), value])
      }),
      Buffer.alloc(8),
      Buffer.from([rows.length >> 8, rows.length & 255]),
    ])
    const rowsChanged = changed(snapshot, 'state.bin', () => state)
    const fitting = changed(rowsChanged, 'meta.json', meta({ Rows: rows.length, Size: state.length }))
    const { status, errors } = await binary(server, 'POST', force, fitting)
    expect([status, errors]).toEqual([400, ['the snapshot has no row "core/keyring": nothing could unseal it']])
    await empty.close()
  })

  it('a client that goes away in the middle', async () => {
    const before = await rowsOf(server)
    const stream = (async function* () {
      yield snapshot.subarray(0, 100)
      throw new Error('aborted')
    })()
    const answer = await server.core.handler({
      method: 'POST',
      target: path,
      rawHeaders: ['X-Vault-Token', server.root],
      remote: { address: '127.0.0.1', port: 1 },
      stream,
    })
    expect(answer.status).toBe(500)
    expect(await rowsOf(server)).toEqual(before)
  })
})

describe('a process that dies during a restore', () => {
  it.each([
    ['before', ['new', 'old']],
    ['after', ['old']],
  ] as const)('leaves the old rows or the new ones, whole: %s a commit', async (when, expected) => {
    const seen = new Set<string>()
    for (let at = 0; at < 4; at += 1) {
      const whole = await TestServer.start()
      const put = async (value: string) => {
        for (const name of ['a', 'b']) await whole.call('PUT', `test/row/${name}`, { value })
      }
      await put('old')
      const taken = (await binary(whole, 'GET', path)).bytes
      await put('new')
      await whole.core.close(0)
      const crash = new TestServer(() => crashing(whole.backend, at, when))
      await crash.call('PUT', 'sys/unseal', { key: whole.key }, '')
      const { status } = await binary(crash, 'POST', path, taken, whole.root)
      const next = new TestServer(() => whole.backend)
      await next.call('PUT', 'sys/unseal', { key: whole.key }, '')
      const values = await Promise.all(
        ['a', 'b'].map(
          async (name) => (await next.call('GET', `test/row/${name}`, undefined, whole.root)).body.data.value,
        ),
      )
      expect(values[0]).toBe(values[1])
      if (status === 204) expect(values[0]).toBe('old')
      seen.add(values[0])
      await next.close()
    }
    for (const value of expected) expect([...seen]).toContain(value)
  })
})

it('leaves no file behind', () => {
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('.snapshot-'))).toEqual([])
})
