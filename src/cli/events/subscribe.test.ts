import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../lib/fake-clock.ts'
import { type ConnectSocket, SocketRefused } from '../../sdk/events.ts'
import { runFake } from '../fake-context.ts'

describe('events subscribe', () => {
  it('prints each notice as it came, one a line, until interrupted', async () => {
    const stop = new AbortController()
    const asked: unknown[] = []
    const connect: ConnectSocket = async (path, headers) => {
      asked.push(path, headers)
      return (async function* () {
        yield '{"id":"1"}\n'
        yield '{"id":"2","n":1.0}'
        stop.abort(new Error('SIGINT'))
      })()
    }
    const { status, out, err } = await runFake(['events', 'subscribe', '-ns=team', 'kv-v2/*'], {
      env: { VAULT_TOKEN: 'hvs.t' },
      signal: stop.signal,
      openSocket: () => connect,
    })
    expect({ status, out, err }).toEqual({ status: 0, out: '{"id":"1"}\n{"id":"2","n":1.0}\n', err: '' })
    expect(asked).toEqual([
      '/v1/sys/events/subscribe/kv-v2/*?json=true',
      { 'X-Vault-Request': 'true', 'X-Vault-Token': 'hvs.t', 'X-Vault-Namespace': 'team' },
    ])
  })

  const notice = (path: string, operation: string, namespace = '') =>
    JSON.stringify({
      data: {
        event: { metadata: { data_path: path, operation } },
        event_type: `kv-v2/${operation}`,
        ...(namespace === '' ? {} : { namespace }),
        plugin_info: { mount_path: 'secret/' },
      },
    })
  const saying =
    (...messages: string[]): ConnectSocket =>
    async (_path, _headers, signal) =>
      (async function* () {
        yield* messages
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      })()
  const subscribeTo = async (argv: readonly string[], connect: ConnectSocket) => {
    const clock = new FakeClock()
    const run = runFake(['events', 'subscribe', '-timeout=5s', ...argv, 'kv*'], { clock, openSocket: () => connect })
    await clock.advance(5000)
    return run
  }

  it.each([
    ['data_path == secret/data/a', ['a']],
    ['operation != "data-write"', ['b']],
    ['event_type == "kv-v2/data-write" and source_plugin_mount == "secret/"', ['a']],
    ['namespace == "team/" or data_path matches "/a$"', ['a', 'b']],
    ['data_path contains x', []],
  ])('-filter=%s prints only what it is true of', async (filter, names) => {
    const a = notice('secret/data/a', 'data-write')
    const b = notice('secret/data/b', 'data-delete', 'team/')
    const { status, out } = await subscribeTo([`-filter=${filter}`], saying(a, b))
    const shown = [...(names.includes('a') ? [a] : []), ...(names.includes('b') ? [b] : [])]
    expect([status, out]).toEqual([0, shown.map((text) => `${text}\n`).join('')])
  })

  it('-namespaces adds subscriptions below the own namespace', async () => {
    const asked: (string | undefined)[] = []
    const connect: ConnectSocket = async (path, headers, signal) => {
      asked.push(headers['X-Vault-Namespace'])
      return saying(notice('p', 'w', headers['X-Vault-Namespace']))(path, headers, signal)
    }
    const { status, out } = await subscribeTo(['-ns=a', '-namespaces=b,/c/', '-namespaces=b'], connect)
    expect([status, asked]).toEqual([0, ['a', 'a/b', 'a/c']])
    expect(out.split('\n')).toHaveLength(4)
  })

  it.each([['-filter=paht == x'], ['-filter=data_path =='], ['-namespaces=a/*']])('%s is wrong use', async (flag) => {
    const connected: unknown[] = []
    const openSocket = () => {
      connected.push(1)
      return saying()
    }
    const { status } = await runFake(['events', 'subscribe', flag, 'kv*'], { openSocket })
    expect([status, connected]).toEqual([1, []])
  })

  it('is 2 when the server refuses, and when it closes the connection', async () => {
    const refused = await runFake(['events', 'subscribe', '*'], {
      openSocket: () => () => Promise.reject(new SocketRefused(403)),
    })
    expect(refused.status).toBe(2)
    expect(refused.err).toBe('Error subscribing to *: the server answered 403 instead of opening a WebSocket\n')
    const closed = await runFake(['events', 'subscribe', '*'], {
      openSocket: () => async () => (async function* () {})(),
    })
    expect([closed.status, closed.err]).toEqual([2, 'Error subscribing to *: the server closed the connection\n'])
  })
})
