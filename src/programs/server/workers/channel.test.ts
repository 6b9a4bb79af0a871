import { expect, it } from 'vitest'
import { Refusal } from '../../../server/contracts/request.ts'
import { Channel, type Port } from './channel.ts'

interface Asked {
  readonly double: readonly [number, number]
  readonly refuse: readonly [null, null]
  readonly fail: readonly [null, null]
  readonly never: readonly [null, null]
}
interface None {
  readonly nothing: readonly [null, null]
}

/** Two ends that copy what passes, as processes do. */
function ends(): [Port, Port] {
  const heard: ((message: unknown) => void)[][] = [[], []]
  const port = (own: number): Port => ({
    send: (message, sent) => {
      const copy = structuredClone(message)
      queueMicrotask(() => {
        sent()
        for (const listener of heard[1 - own] ?? []) listener(copy)
      })
    },
    onMessage: (listener) => void heard[own]?.push(listener),
  })
  return [port(0), port(1)]
}

function start() {
  const [a, b] = ends()
  const failures: string[] = []
  const asking = new Channel<Asked, None>({ port: a, answers: { nothing: () => null }, failed: () => {} })
  new Channel<None, Asked>({
    port: b,
    answers: {
      double: (n) => 2 * n,
      refuse: () => {
        throw new Refusal(400, ['no', 'never'])
      },
      fail: async () => {
        throw new TypeError('it broke')
      },
      never: () => new Promise<null>(() => {}),
    },
    failed: (name, error) => failures.push(`${name}: ${error}`),
  })
  return { asking, failures, port: a }
}

it('answers reach their questions', async () => {
  const { asking } = start()
  expect(await Promise.all([asking.call('double', 2), asking.call('double', 5)])).toEqual([4, 10])
  expect(asking.unsent).toBe(0)
})

it('a refusal stays one; of other errors the message comes over', async () => {
  const { asking } = start()
  const refused = await asking.call('refuse', null).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(Refusal)
  expect(refused).toMatchObject({ status: 400, errors: ['no', 'never'] })
  const broken = await asking.call('fail', null).catch((error: unknown) => error)
  expect(broken).not.toBeInstanceOf(Refusal)
  expect(String(broken)).toBe('Error: it broke')
})

it('what nobody waits for fails where it was done', async () => {
  const { asking, failures } = start()
  asking.tell('fail', null)
  await asking.call('double', 1)
  expect(failures).toEqual(['fail: TypeError: it broke'])
})

it('whoever waits for an end that is gone is told, and so is whoever asks later', async () => {
  const { asking } = start()
  const waiting = asking.call('never', null)
  asking.end(new Error('the worker ended'))
  await expect(waiting).rejects.toThrow('the worker ended')
  await expect(asking.call('double', 1)).rejects.toThrow('the worker ended')
})

it('messages of others on the same channel mean nothing', async () => {
  const { asking, port } = start()
  port.send({ type: 'ready' }, () => {})
  port.send('text', () => {})
  port.send({ kind: 'answer', id: 99, body: 1 }, () => {})
  expect(await asking.call('double', 3)).toBe(6)
})
