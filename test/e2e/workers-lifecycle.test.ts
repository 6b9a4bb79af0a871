import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root as sources } from './server-process.ts'
import { alive, type Line, signalTo, until, WorkersNode } from './workers-node.ts'

const kv = { type: 'kv', options: { version: '2' } }

// Processes are told apart by /proc.
describe.runIf(process.platform === 'linux')('a server with workers, when processes end', () => {
  let node: WorkersNode
  const root = () => node.rootToken
  const open = async (line: Line) => (await line.request('GET', 'secret/data/one', undefined, root())).status === 200

  /** Both workers and the housekeeper, other ones than these. */
  async function healed(...gone: number[]): Promise<void> {
    await until(() => gone.every((pid) => !alive(pid)) && node.pids().length === 3, 'what ended is not started anew')
    await until(async () => {
      try {
        const { a, b } = await node.pair()
        return (await open(a)) && (await open(b))
      } catch {
        return false
      }
    }, 'the server does not serve again')
  }

  /** Writes until `work` is done; every acknowledged write must be there then. */
  async function underLoad(work: () => Promise<void>): Promise<void> {
    const acknowledged = new Map<string, number>()
    let writing = true
    const writers = Array.from({ length: 6 }, async (_, w) => {
      for (let n = 0; writing; n += 1) {
        const path = `secret/data/load/${w}/${n % 5}`
        const answer = await node.request('POST', path, { data: { n } }).catch(() => undefined)
        if (answer?.status === 200) acknowledged.set(path, n)
      }
    })
    try {
      await until(() => acknowledged.size >= 12, 'nothing is written')
      await work()
      const before = [...acknowledged.values()].reduce((sum, n) => sum + n, 0)
      await until(
        () => [...acknowledged.values()].reduce((sum, n) => sum + n, 0) > before,
        'nothing is written any more',
      )
    } finally {
      writing = false
      await Promise.all(writers)
    }
    for (const [path, n] of acknowledged) {
      const { status, json } = await node.request('GET', path)
      expect(status, path).toBe(200)
      // One that was cut off may have been committed.
      expect(json.data.data.n, path).toBeGreaterThanOrEqual(n)
    }
  }

  beforeAll(async () => {
    node = await WorkersNode.start()
    await node.init()
    await node.request('POST', 'sys/mounts/secret', kv)
    await node.request('PUT', 'sys/audit/file', {
      type: 'file',
      options: { file_path: join(node.dir, 'audit/audit.log') },
    })
    await node.request('POST', 'secret/data/one', { data: { a: '1' } })
  })
  afterAll(() => node?.close())

  it('a worker that is killed under load loses no acknowledged write, and comes back open', async () => {
    const { pidA } = await node.pair()
    await underLoad(async () => {
      signalTo(pidA, 'SIGKILL')
      await healed(pidA)
    })
    expect(node.output).toContain('a process of this server ended, it is started anew')
  })

  it('a housekeeper that is killed under load is replaced, and what is due is done', async () => {
    const pid = await node.housekeeper()
    await underLoad(async () => {
      signalTo(pid, 'SIGKILL')
      await healed(pid)
    })
    const { json } = await node.request('POST', 'auth/token/create', { ttl: '1s', policies: ['root'] })
    const accessor = json.auth.accessor
    await until(
      async () =>
        (await node.request('POST', 'auth/token/lookup-accessor', { accessor })).text.includes('invalid accessor'),
      'an expired token is not taken away',
    )
  })

  it('all of them killed at once: opened again by the first process, which has the root key', async () => {
    const pids = node.pids()
    await underLoad(async () => {
      for (const pid of pids) signalTo(pid, 'SIGKILL')
      await healed(...pids)
    })
  })

  it('metrics do not fall with a worker that ended', async () => {
    const count = async () => {
      const { text } = await node.request('GET', 'sys/metrics?format=prometheus')
      return Number(/^vault_core_handle_request_count (\d+)$/m.exec(text)?.[1])
    }
    const before = await count()
    expect(before).toBeGreaterThan(10)
    const { pidA } = await node.pair()
    signalTo(pidA, 'SIGKILL')
    await healed(pidA)
    expect(await count()).toBeGreaterThanOrEqual(before)
  })

  it('a worker that starts anew has the level of loggers and the counts of rate limits that the node has', async () => {
    await node.request('POST', 'sys/loggers', { level: 'warn' })
    await node.request('POST', 'sys/quotas/rate-limit/few', { path: 'secret', rate: 3, interval: '3600s' })
    for (let i = 0; i < 3; i += 1) expect((await node.request('GET', 'secret/data/one')).status).toBe(200)
    const { pidA } = await node.pair()
    signalTo(pidA, 'SIGKILL')
    await until(() => !alive(pidA) && node.pids().length === 3, 'not started anew')
    const { a, b } = await eventually(() => node.pair())
    for (const line of [a, b]) {
      expect((await line.request('GET', 'secret/data/one', undefined, root())).status).toBe(429)
      expect((await line.request('GET', 'sys/loggers', undefined, root())).json.data.server).toBe('warn')
    }
    await node.request('DELETE', 'sys/quotas/rate-limit/few')
    await node.request('DELETE', 'sys/loggers')
    await healed()
  })

  it('a worker that starts anew after a rekey of the root key is opened with the new one', async () => {
    const started = await node.request('PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 }, '')
    const done = await node.request('PUT', 'sys/rekey/update', { key: node.keys[0], nonce: started.json.nonce }, '')
    expect(done.json.complete).toBe(true)
    node.keys = done.json.keys_base64
    expect((await node.request('PUT', 'sys/rotate/root')).status).toBeLessThan(500)
    const pids = node.pids()
    for (const pid of pids) signalTo(pid, 'SIGKILL')
    await healed(...pids)
  })

  it('a worker that starts anew while the node is sealed stays sealed, and is opened with the others', async () => {
    await node.request('PUT', 'sys/seal')
    await until(async () => (await node.request('GET', 'sys/seal-status')).json.sealed, 'not sealed')
    const pids = node.pids()
    for (const pid of pids) signalTo(pid, 'SIGKILL')
    await until(() => pids.every((pid) => !alive(pid)) && node.pids().length === 3, 'not started anew')
    const { a, b } = await eventually(() => node.pair())
    for (const line of [a, b]) expect((await line.request('GET', 'sys/seal-status')).json.sealed).toBe(true)
    await node.unseal()
    await healed()
  })

  it('keys and tokens are nowhere: not in the log, the audit, the arguments or the environment of any process', () => {
    const all = [node.child?.pid ?? 0, ...node.pids()]
    const places = all.map(
      (pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1'),
    )
    const texts = [...places, node.output, readFileSync(join(node.dir, 'audit/audit.log'), 'utf8')]
    for (const secret of [root(), ...node.keys]) expect(texts.filter((text) => text.includes(secret))).toEqual([])
  })

  it('audit files of all processes that ever wrote verify', async () => {
    const evidence = await node.request('GET', 'sys/coffer/audit/evidence')
    expect(new Set(evidence.json.data.chains.map(({ node: name }: { node: string }) => name)).size).toBeGreaterThan(1)
    const said = execFileSync(
      process.execPath,
      [join(sources, 'bin/coffer'), 'audit', 'verify', join(node.dir, 'audit/audit.log')],
      { env: { ...process.env, VAULT_ADDR: `http://127.0.0.1:${node.port}`, VAULT_TOKEN: root() }, encoding: 'utf8' },
    )
    expect(said).toContain('Intact.')
  })

  it('a reload counts for all, and for whoever starts later; a part that is read again by request too', async () => {
    const levelOf = async () => {
      const { a, b } = await eventually(() => node.pair())
      const levels = async (line: Line) =>
        (await line.request('GET', 'sys/loggers', undefined, root())).json.data?.server
      return [await levels(a), await levels(b)]
    }
    node.configure('log_level = "error"')
    node.child?.kill('SIGHUP')
    await until(async () => String(await levelOf()) === 'error,error', 'not all have read the level again')
    const { pidA } = await node.pair()
    signalTo(pidA, 'SIGKILL')
    await healed(pidA)
    expect(await levelOf()).toEqual(['error', 'error'])
    node.configure('')
    expect((await node.request('PUT', 'sys/config/reload/log_level')).status).toBe(204)
    expect(await levelOf()).toEqual(['info', 'info'])
    expect((await node.request('PUT', 'sys/config/reload/nothing')).status).toBe(400)
  })

  it('an orderly stop finishes what is under way, waits for nothing else, ends with status 0 and leaves a clean file', async () => {
    const { a } = await node.pair()
    expect(await open(a)).toBe(true)
    const pids = node.pids()
    const body = JSON.stringify({ data: { last: 'one' } })
    const head = `POST /v1/secret/data/last HTTP/1.1\r\nHost: x\r\nX-Vault-Token: ${root()}\r\n`
    const begin = (words: string) => {
      const socket = connect(node.port, '127.0.0.1')
      let said = ''
      socket.on('data', (data) => {
        said += data
      })
      socket.on('error', () => {})
      socket.write(words)
      return { socket, said: () => said, ended: new Promise((done) => socket.once('close', done)) }
    }
    // Each worker has some, also of those on which nobody says anything.
    const silent = [begin(''), begin(''), begin('')]
    const underWay = [0, 1, 2].map(() => begin(`${head}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`))
    await until(() => underWay.every(({ said }) => said().includes('100 Continue')), 'the requests are not under way')
    const before = node.output.length
    const ending = node.end('SIGTERM')
    await Promise.all(silent.map(({ ended }) => ended))
    await until(
      () => node.output.slice(before).split('"reason":"the node is stopping"').length > 2,
      'not all workers are stopping',
    )
    for (const { socket } of underWay) socket.write(body)
    await Promise.all(underWay.map(({ ended }) => ended))
    for (const { said } of underWay) expect(said()).toMatch(/^HTTP\/1.1 200 /m)
    expect(await ending).toEqual({ code: 0, signal: null })
    expect(pids.filter(alive)).toEqual([])
    const stopped = node.output.length
    await node.run()
    expect(node.output.slice(stopped)).not.toContain('was not closed in order')
    await node.unseal()
    await healed()
  })

  it('with the first process killed nothing of the server goes on', async () => {
    const pids = node.pids()
    expect(await node.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' })
    await until(() => pids.every((pid) => !alive(pid)), 'there are orphans')
    await node.run()
    await node.unseal()
    await healed()
  })

  it('a second signal ends all at once, also those that hear nothing', async () => {
    const pids = node.pids()
    signalTo(pids[0] ?? 0, 'SIGSTOP')
    const ended = node.end('SIGTERM')
    await until(
      () => node.output.endsWith('"event":"stopping"}\n') || /"event":"stopping"/.test(node.output.slice(-2000)),
      'not stopping',
    )
    node.child?.kill('SIGTERM')
    expect((await ended).code).toBe(143)
    await until(() => pids.every((pid) => !alive(pid)), 'there are orphans')
  })
})

function sealedBySocket(socketPath: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = get({ socketPath, path: '/v1/sys/seal-status', agent: false }, (response) => {
      let text = ''
      response.on('data', (data) => {
        text += data
      })
      response.on('error', reject)
      response.on('end', () => resolve(JSON.parse(text).sealed))
    })
    asked.on('error', reject)
  })
}

/** Until it does not throw. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  let found: { value: T } | undefined
  await until(async () => {
    found = await work().then(
      (value) => ({ value }),
      () => undefined,
    )
    return found !== undefined
  }, 'it fails again and again')
  if (!found) throw new Error('nothing')
  return found.value
}

// Processes are told apart by /proc.
describe.runIf(process.platform === 'linux')('the start of a server with workers', () => {
  const dir = mkdtempSync(join(tmpdir(), 'coffer-workers-start-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  it('a seal that opens by itself is asked once, and opens all; a socket of the file system is shared by all', async () => {
    const key = Buffer.alloc(32, 7).toString('base64')
    const socket = (dir: string) => `${dir}/coffer.sock`
    const node = await WorkersNode.start(
      (dir) =>
        `seal "static" {\n  current_key_id = "1"\n  current_key = "${key}"\n}\nlistener "unix" {\n  address = "${socket(dir)}"\n}`,
      3,
    )
    try {
      const path = socket(node.dir)
      const made = await node.request('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 }, '')
      node.rootToken = made.json.root_token
      const lines = Array.from({ length: 9 }, () => node.line())
      for (const line of lines) expect((await line.request('GET', 'sys/seal-status')).json.sealed).toBe(false)
      expect(new Set(lines.map((line) => node.pidOf(line))).size).toBe(3)
      for (let i = 0; i < 6; i += 1) expect(await sealedBySocket(path)).toBe(false)
      expect(statSync(path).mode & 0o777).toBe(0o600)
      const pids = node.pids()
      for (const pid of pids) signalTo(pid, 'SIGKILL')
      await until(() => pids.every((pid) => !alive(pid)), 'still alive')
      await until(
        () =>
          sealedBySocket(path).then(
            (sealed) => !sealed,
            () => false,
          ),
        'nobody serves the socket again',
      )
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect((await node.end('SIGTERM')).code).toBe(0)
      expect(existsSync(path)).toBe(false)
      await node.run()
      for (let i = 0; i < 6; i += 1) expect((await node.request('GET', 'sys/seal-status')).json.sealed).toBe(false)
    } finally {
      await node.close()
    }
  })

  it('an address that is taken ends it with status 1 and the reason', async () => {
    const first = await WorkersNode.start()
    try {
      const second = await WorkersNode.startAt(first.port).catch((error: Error) => error)
      expect(String(second)).toMatch(/ended with 1/)
      expect(String(second)).toMatch(/EADDRINUSE/)
    } finally {
      await first.close()
    }
  })

  it('is refused in words with a storage that one process alone can use', () => {
    const run = () =>
      execFileSync(
        process.execPath,
        [join(sources, 'bin/coffer'), 'server', '-dev', '-dev-listen-address=127.0.0.1:0'],
        {
          env: { PATH: process.env['PATH'], HOME: dir, COFFER_WORKERS: '2' },
          encoding: 'utf8',
          stdio: 'pipe',
        },
      )
    expect(run).toThrow(/workers = 2 needs storage "lmdb"/)
  })
})
