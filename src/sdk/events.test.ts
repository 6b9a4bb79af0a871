import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { type ConnectSocket, type ServerEvent, SocketRefused, subscribe } from './events.ts'

const notice = JSON.stringify({
  id: 'a',
  source: 'vault://node',
  specversion: '1.0',
  type: '*',
  data: {
    event: {
      id: 'b',
      metadata: { current_version: '2', data_path: 'secret/data/my-app/config', operation: 'data-write' },
    },
    event_type: 'kv-v2/data-write',
    plugin_info: { mount_path: 'secret/', plugin: 'kv' },
  },
})

async function* messages(...list: string[]) {
  yield* list
}

/** Connection by connection: what it gives; then silence until stopped. */
const follow = (script: (readonly string[] | Error)[]) => {
  const clock = new FakeClock()
  const stop = new AbortController()
  const asked: string[] = []
  const connect: ConnectSocket = async (path, headers, signal) => {
    asked.push(`${path} ${headers['X-Vault-Token']}`)
    const next = script.shift()
    if (next === undefined)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    if (next instanceof Error) throw next
    return messages(...next)
  }
  const seen: ServerEvent[] = []
  const done = (async () => {
    const events = subscribe({
      connect,
      token: () => 'hvs.t',
      type: 'kv-v2/*',
      clock,
      signal: stop.signal,
      random: () => new Uint8Array([0]),
    })
    for await (const event of events) seen.push(event)
  })()
  const end = () => {
    stop.abort(new Error('stop'))
    return done
  }
  return { clock, seen, asked, stop: end }
}

describe('events', () => {
  it('begin with a reset, tell what changed, and come again after a cut', async () => {
    const run = follow([[notice, 'not json'], new Error('refused'), [notice]])
    await run.clock.advance(60_000)
    await run.stop()
    const told = {
      type: 'kv-v2/data-write',
      path: 'secret/data/my-app/config',
      mountPath: 'secret/',
      metadata: { current_version: '2', data_path: 'secret/data/my-app/config', operation: 'data-write' },
    }
    expect(run.seen).toEqual(['reset', told, 'lost', 'lost', 'reset', told, 'lost'])
    expect(run.asked[0]).toBe('/v1/sys/events/subscribe/kv-v2/*?json=true hvs.t')
  })

  it('pause longer and longer while nobody answers', async () => {
    const run = follow(Array.from({ length: 100 }, () => new Error('refused')))
    await run.clock.advance(60_000)
    await run.stop()
    expect(run.seen).toEqual(['lost'])
    expect(run.asked.length).toBeGreaterThan(5)
    expect(run.asked.length).toBeLessThan(20)
  })

  it('are asked for ever more rarely by a token that may not subscribe', async () => {
    const run = follow(Array.from({ length: 30_000 }, () => new SocketRefused(403)))
    await run.clock.advance(24 * 3_600_000)
    await run.stop()
    expect(run.seen).toEqual(['lost'])
    expect(run.asked.length).toBeGreaterThan(100)
    expect(run.asked.length).toBeLessThan(700)
  })

  it('say when the server has none', async () => {
    const run = follow([new SocketRefused(404)])
    await run.clock.advance(60_000)
    await run.stop()
    expect(run.seen).toEqual(['unsupported'])
    expect(run.asked).toHaveLength(1)
  })
})
