import { readFileSync, renameSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { alive, type Line, signalTo, until, WorkersNode } from './workers-node.ts'

const kv = { type: 'kv', options: { version: '2' } }

/**
 * Runs while a process is stopped, as one is whose loop is busy: it hears nothing. One that was stopped in the middle of a write to
 * LMDB holds up those of all others, which a busy loop does not: it goes on after a while, and what is asked of it counts as before.
 */
async function whileBusy<T>(pid: number, work: () => Promise<T>): Promise<T> {
  signalTo(pid, 'SIGSTOP')
  const enough = setTimeout(() => signalTo(pid, 'SIGCONT'), 10_000)
  try {
    return await work()
  } finally {
    clearTimeout(enough)
    signalTo(pid, 'SIGCONT')
  }
}

// Processes are told apart by /proc.
describe.runIf(process.platform === 'linux')('two workers over one LMDB', () => {
  let node: WorkersNode
  let a: Line
  let b: Line
  let pidA: number
  let pidB: number
  const root = () => node.rootToken

  beforeAll(async () => {
    node = await WorkersNode.start()
    await node.init(3, 2)
    ;({ a, b, pidA, pidB } = await node.pair())
    await a.request('POST', 'sys/mounts/secret', kv, root())
    await a.request('POST', 'secret/data/one', { data: { a: '1' } }, root())
  })
  afterAll(() => node?.close())

  async function newToken(policies: string[], line = a): Promise<string> {
    return (await line.request('POST', 'auth/token/create', { policies }, root())).json.auth.client_token
  }

  it('what one has written the other reads', async () => {
    for (let n = 0; n < 20; n += 1) {
      const [from, to] = n % 2 === 0 ? [a, b] : [b, a]
      await from.request('POST', 'secret/data/shared', { data: { n } }, root())
      expect((await to.request('GET', 'secret/data/shared', undefined, root())).json.data.data.n).toBe(n)
    }
  })

  it('a token that was revoked on one is refused by the other, which was busy meanwhile', async () => {
    const token = await newToken(['root'])
    expect((await b.request('GET', 'secret/data/one', undefined, token)).status).toBe(200)
    const { late } = await whileBusy(pidB, async () => {
      expect((await a.request('POST', 'auth/token/revoke', { token }, root())).status).toBe(204)
      return { late: b.request('GET', 'secret/data/one', undefined, token) }
    })
    expect((await late).status).toBe(403)
  })

  it('a policy that was changed on one counts on the other’s next request, in both directions', async () => {
    const read = { policy: 'path "secret/data/one" { capabilities = ["read"] }' }
    await a.request('PUT', 'sys/policies/acl/reader', read, root())
    const token = await newToken(['reader'])
    expect((await b.request('GET', 'secret/data/one', undefined, token)).status).toBe(200)
    const denied = await whileBusy(pidB, async () => {
      await a.request('PUT', 'sys/policies/acl/reader', { policy: 'path "other" { capabilities = ["read"] }' }, root())
      return { late: b.request('GET', 'secret/data/one', undefined, token) }
    })
    expect((await denied.late).status).toBe(403)
    const granted = await whileBusy(pidB, async () => {
      await a.request('PUT', 'sys/policies/acl/reader', read, root())
      return { late: b.request('GET', 'secret/data/one', undefined, token) }
    })
    expect((await granted.late).status).toBe(200)
  })

  it('a mount that is new, moved or gone is so for the other at once', async () => {
    const { late } = await whileBusy(pidB, async () => {
      await a.request('POST', 'sys/mounts/fresh', kv, root())
      await a.request('POST', 'fresh/data/x', { data: { a: '1' } }, root())
      return { late: b.request('GET', 'fresh/data/x', undefined, root()) }
    })
    expect((await late).status).toBe(200)
    const moved = await whileBusy(pidB, async () => {
      const { json } = await a.request('POST', 'sys/remount', { from: 'fresh/', to: 'moved/' }, root())
      const status = async () =>
        (await a.request('GET', `sys/remount/status/${json.data.migration_id}`, undefined, root())).json.data
          .migration_info.status
      await until(async () => (await status()) === 'success', 'the mount was not moved')
      return {
        old: b.request('GET', 'fresh/data/x', undefined, root()),
        now: b.request('GET', 'moved/data/x', undefined, root()),
      }
    })
    expect([(await moved.old).status, (await moved.now).status]).toEqual([404, 200])
    const gone = await whileBusy(pidB, async () => {
      await a.request('DELETE', 'sys/mounts/moved', undefined, root())
      return { late: b.request('GET', 'moved/data/x', undefined, root()) }
    })
    expect((await gone.late).status).toBe(404)
  })

  it('a new namespace is there for the other at once, and so is its lock', async () => {
    const { late } = await whileBusy(pidB, async () => {
      await a.request('PUT', 'sys/namespaces/team', {}, root())
      return { late: b.request('GET', 'team/sys/mounts', undefined, root()) }
    })
    expect((await late).status).toBe(200)
    const locked = await whileBusy(pidB, async () => {
      const { json } = await a.request('PUT', 'sys/namespaces/api-lock/lock/team', {}, root())
      return { key: json.data.unlock_key, late: b.request('GET', 'team/sys/mounts', undefined, root()) }
    })
    expect((await locked.late).status).toBe(503)
    await a.request('PUT', 'sys/namespaces/api-lock/unlock/team', { unlock_key: locked.key }, root())
  })

  it('a key that was rotated on one opens for the other', async () => {
    const { late } = await whileBusy(pidB, async () => {
      expect((await a.request('PUT', 'sys/rotate', undefined, root())).status).toBe(204)
      await a.request('POST', 'secret/data/term', { data: { a: '2' } }, root())
      return { late: b.request('GET', 'secret/data/term', undefined, root()) }
    })
    expect((await late).json.data.data).toEqual({ a: '2' })
  })

  it('a quota that was made on one counts from the other’s next request on, and exactly over both', async () => {
    const { late } = await whileBusy(pidB, async () => {
      const quota = { path: 'secret', rate: 1, interval: '3600s' }
      expect((await a.request('POST', 'sys/quotas/rate-limit/slow', quota, root())).status).toBe(204)
      await a.request('GET', 'secret/data/one', undefined, root())
      return { late: b.request('GET', 'secret/data/one', undefined, root()) }
    })
    expect((await late).status).toBe(429)
    await b.request('POST', 'sys/quotas/rate-limit/slow', { path: 'secret', rate: 57, interval: '3600s' }, root())
    const lines = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const line = node.line()
        await line.request('GET', 'sys/health')
        return line
      }),
    )
    expect(new Set(lines.map((line) => node.pidOf(line))).size).toBe(2)
    const answers = await Promise.all(
      lines.map(async (line) => {
        const statuses: number[] = []
        for (let i = 0; i < 20; i += 1)
          statuses.push((await line.request('GET', 'secret/data/one', undefined, root())).status)
        return statuses
      }),
    )
    const all = answers.flat()
    expect([all.filter((s) => s === 200).length, all.filter((s) => s === 429).length]).toEqual([57, 103])
    expect((await a.request('DELETE', 'sys/quotas/rate-limit/slow', undefined, root())).status).toBe(204)
    expect((await b.request('GET', 'secret/data/one', undefined, root())).status).toBe(200)
  })

  it('metrics are those of all processes, and never fall when one ends', async () => {
    const count = async (line: Line) => {
      const { text } = await line.request('GET', 'sys/metrics?format=prometheus', undefined, root())
      return Number(/^vault_route_read_secret__count (\d+)$/m.exec(text)?.[1])
    }
    const before = await count(a)
    for (let i = 0; i < 5; i += 1) {
      await a.request('GET', 'secret/data/one', undefined, root())
      await b.request('GET', 'secret/data/one', undefined, root())
    }
    expect([await count(a), await count(b)]).toEqual([before + 10, before + 10])
    const { text } = await b.request('GET', 'sys/metrics?format=prometheus', undefined, root())
    expect(text).toMatch(/^vault_core_unsealed 1$/m)
  })

  it('requests under way are those of all', async () => {
    // Begins before its body has come, and never gets one.
    const socket = connect(node.port, '127.0.0.1')
    socket.on('error', () => {})
    try {
      const head = `POST /v1/sys/storage/raft/snapshot HTTP/1.1\r\nHost: x\r\nX-Vault-Token: ${root()}\r\n`
      socket.write(`${head}Content-Length: 1000\r\n\r\n`)
      for (const line of [a, b]) {
        const seen = async () => {
          const { json } = await line.request('GET', 'sys/in-flight-req', undefined, root())
          return Object.values(json).map((one) => (one as { request_path: string }).request_path)
        }
        await until(
          async () => (await seen()).includes('/v1/sys/storage/raft/snapshot'),
          'the request is not shown by both',
        )
      }
    } finally {
      socket.destroy()
    }
  })

  it('a log level that is set on one is the other’s, and the monitor shows the lines of all', async () => {
    await a.request('POST', 'sys/loggers', { level: 'debug' }, root())
    const levels = async () => (await b.request('GET', 'sys/loggers', undefined, root())).json.data
    await until(async () => (await levels()).server === 'debug', 'the level did not arrive')
    await b.request('DELETE', 'sys/loggers', undefined, root())
    await until(
      async () => (await a.request('GET', 'sys/loggers', undefined, root())).json.data.server === 'info',
      'the reset did not arrive',
    )
    let heard = ''
    const asked = get({
      host: '127.0.0.1',
      port: node.port,
      path: '/v1/sys/monitor',
      headers: { 'X-Vault-Token': root() },
    })
    asked.on('error', () => {})
    asked.on('response', (response) => response.setEncoding('utf8').on('data', (text) => (heard += text)))
    try {
      await new Promise((done) => asked.once('response', done))
      // Each rotation is a line of the process that did it.
      for (const [line, worker] of [
        [a, pidA],
        [b, pidB],
      ] as const) {
        const before = heard.split('installed new encryption key').length
        await line.request('PUT', 'sys/rotate', undefined, root())
        await until(
          () => heard.split('installed new encryption key').length > before,
          `no line of ${worker}:\n${heard}`,
        )
      }
      expect(heard).toMatch(/worker=1/)
      expect(heard).toMatch(/worker=2/)
    } finally {
      asked.destroy()
    }
  })

  it('who follows changes on one worker hears of those that either makes', async () => {
    const sockets = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const socket = new WebSocket(`ws://127.0.0.1:${node.port}/v1/sys/events/subscribe/kv-v2/*?json=true`, {
          headers: { 'X-Vault-Token': root() },
        })
        const paths: string[] = []
        socket.on('message', (data) => {
          const { event, event_type: type } = JSON.parse(String(data)).data
          if (type === 'kv-v2/data-write') paths.push(event.metadata.path)
        })
        await new Promise((done, fail) => {
          socket.once('open', done)
          socket.once('error', fail)
        })
        return { socket, paths }
      }),
    )
    try {
      await a.request('POST', 'secret/data/by-a', { data: { a: '1' } }, root())
      await b.request('POST', 'secret/data/by-b', { data: { a: '1' } }, root())
      for (const { paths } of sockets) {
        await until(() => paths.length >= 2, `heard only ${paths}`)
        expect([...paths].sort()).toEqual(['secret/data/by-a', 'secret/data/by-b'])
      }
    } finally {
      for (const { socket } of sockets) socket.terminate()
    }
  })

  it('a refusal of one is explained by the other', async () => {
    const token = await newToken(['default'])
    const refused = await a.request('GET', 'secret/data/one', undefined, token)
    expect(refused.status).toBe(403)
    const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(refused.text)?.[0]
    const explained = await b.request('POST', 'sys/coffer/explain', { request_id: id }, root())
    expect([explained.status, explained.json.data?.path]).toEqual([200, 'secret/data/one'])
  })

  it('what is wrapped on one is unwrapped by the other, once', async () => {
    const wrapped = await a.request('GET', 'secret/data/one', undefined, root(), { 'X-Vault-Wrap-TTL': '60s' })
    const { token } = wrapped.json.wrap_info
    expect((await b.request('POST', 'sys/wrapping/unwrap', { token }, root())).json.data.data).toEqual({ a: '1' })
    expect((await a.request('POST', 'sys/wrapping/unwrap', { token }, root())).status).toBe(400)
  })

  it('an audit device that one enabled has the other’s next request, each in a chain of its own that verifies', async () => {
    const file = join(node.dir, 'audit/audit.log')
    const { late } = await whileBusy(pidB, async () => {
      const device = { type: 'file', options: { file_path: file } }
      expect((await a.request('PUT', 'sys/audit/file', device, root())).status).toBe(204)
      return { late: b.request('GET', 'secret/data/one?audited=first', undefined, root()) }
    })
    expect((await late).status).toBe(200)
    expect(readFileSync(file, 'utf8')).toContain('secret/data/one')
    await Promise.all(
      [a, b].map(async (line) => {
        for (let i = 0; i < 50; i += 1) await line.request('POST', `secret/data/audited`, { data: { i } }, root())
      }),
    )
    // 50 requests of each, two lines a request: whichever is asked has counted those of both.
    for (const line of [a, b]) {
      const { json } = await line.request('GET', 'sys/coffer/audit', undefined, root())
      expect(json.data.devices['file/']).toMatchObject({ type: 'file', state: 'ok', lines_dropped: 0 })
      expect(json.data.devices['file/'].lines_written).toBeGreaterThanOrEqual(200)
    }
    renameSync(file, `${file}.1`)
    node.child?.kill('SIGHUP')
    await until(() => node.output.split('"event":"reloaded"').length > 3, 'not all have reloaded')
    await a.request('GET', 'secret/data/one', undefined, root())
    await b.request('GET', 'secret/data/one', undefined, root())
    await a.request('PUT', 'sys/coffer/audit/checkpoint', undefined, root())
    const lines = (await Promise.all([`${file}.1`, file].map((path) => readFileSync(path, 'utf8'))))
      .join('')
      .trim()
      .split('\n')
    const chains = new Set(lines.map((line) => JSON.parse(line).chain))
    expect(chains.size).toBe(2)
  })

  it('sealing on one seals the other at once, busy or not; shares may be given to either', async () => {
    const { late } = await whileBusy(pidB, async () => {
      expect((await a.request('PUT', 'sys/seal', undefined, root())).status).toBe(204)
      return { late: b.request('GET', 'secret/data/one', undefined, root()) }
    })
    expect((await late).status).toBe(503)
    await until(async () => (await b.request('GET', 'sys/seal-status')).json.sealed, 'the other worker is still open')
    const [first, second] = node.keys
    expect((await a.request('PUT', 'sys/unseal', { key: first })).json).toMatchObject({ sealed: true, progress: 1 })
    expect((await b.request('GET', 'sys/seal-status')).json).toMatchObject({ sealed: true, progress: 1 })
    expect((await b.request('PUT', 'sys/unseal', { reset: true })).json).toMatchObject({ progress: 0 })
    expect((await a.request('GET', 'sys/seal-status')).json).toMatchObject({ progress: 0 })
    await b.request('PUT', 'sys/unseal', { key: first })
    expect((await a.request('PUT', 'sys/unseal', { key: second })).json).toMatchObject({ sealed: false, progress: 0 })
    for (const line of [a, b]) {
      expect((await line.request('GET', 'sys/seal-status')).json).toMatchObject({ sealed: false })
      expect((await line.request('GET', 'secret/data/one', undefined, root())).status).toBe(200)
    }
  })

  it('wrong shares open nothing and say so on either worker', async () => {
    await b.request('PUT', 'sys/seal', undefined, root())
    await until(async () => (await a.request('GET', 'sys/seal-status')).json.sealed, 'still open')
    const wrong = Buffer.from(node.keys[1] ?? '', 'base64')
    wrong[3] = (wrong[3] ?? 0) ^ 1
    await a.request('PUT', 'sys/unseal', { key: node.keys[0] })
    const answer = await b.request('PUT', 'sys/unseal', { key: wrong.toString('base64') })
    expect(answer.status).toBe(400)
    expect((await a.request('GET', 'sys/seal-status')).json).toMatchObject({ sealed: true, progress: 0 })
    for (const key of node.keys.slice(0, 2)) await a.request('PUT', 'sys/unseal', { key })
    expect((await b.request('GET', 'secret/data/one', undefined, root())).status).toBe(200)
    expect([alive(pidA), alive(pidB)]).toEqual([true, true])
  })
})
