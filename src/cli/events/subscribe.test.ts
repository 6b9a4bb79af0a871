import { describe, expect, it } from 'vitest'
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
