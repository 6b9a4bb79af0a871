import { describe, expect, it } from 'vitest'
import { FakeClock } from '../lib/fake-clock.ts'
import { silentLog } from '../lib/log.ts'
import { systemRandom } from '../lib/random.ts'
import { ApiError, type KubeObject, type Patch, type Ref, type Writer } from './client.ts'
import { createEventRecorder } from './events.ts'

function recording() {
  const created: KubeObject[] = []
  const patched: { ref: Ref; patch: Patch }[] = []
  const state = { gone: false, fails: false }
  const client: Pick<Writer, 'create' | 'patch'> = {
    async create(_type, object) {
      if (state.fails) throw new ApiError(403, 'Forbidden', 'no')
      created.push(object)
      return object
    },
    async patch<T extends KubeObject>(_type: unknown, ref: Ref, patch: Patch): Promise<T> {
      if (state.gone) throw new ApiError(404, 'NotFound', 'gone')
      patched.push({ ref, patch })
      return created[0] as T
    },
  }
  const clock = new FakeClock()
  const recorder = createEventRecorder({ client, component: 'test', clock, random: systemRandom, log: silentLog })
  return { created, patched, state, clock, recorder }
}

const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'ns', uid: 'u1' } }

describe('event recorder', () => {
  it('writes an event about the object, and counts its repetition instead of writing it again', async () => {
    const { created, patched, clock, recorder } = recording()
    recorder.record(pod, 'Warning', 'BackOff', 'waiting')
    await recorder.flush()
    await clock.advance(5000)
    recorder.record(pod, 'Warning', 'BackOff', 'waiting')
    recorder.record(pod, 'Warning', 'BackOff', 'waiting')
    recorder.record(pod, 'Normal', 'Started', 'other')
    await recorder.flush()
    expect(created.length).toBe(2)
    expect(created[0]).toMatchObject({
      kind: 'Event',
      metadata: { namespace: 'ns', name: expect.stringMatching(/^p\.[0-9a-f]{16}$/) },
      involvedObject: { kind: 'Pod', name: 'p', uid: 'u1' },
      type: 'Warning',
      reason: 'BackOff',
      message: 'waiting',
      source: { component: 'test' },
      count: 1,
      firstTimestamp: '2026-01-02T03:04:05Z',
    })
    expect(patched.map((p) => p.patch.body)).toEqual([
      { count: 2, lastTimestamp: '2026-01-02T03:04:10Z' },
      { count: 3, lastTimestamp: '2026-01-02T03:04:10Z' },
    ])
    expect(patched[0]?.ref.name).toBe(created[0]?.metadata.name)
  })

  it('an event that the server dropped is written anew', async () => {
    const { created, state, recorder } = recording()
    recorder.record(pod, 'Normal', 'Pulled', 'm')
    await recorder.flush()
    state.gone = true
    recorder.record(pod, 'Normal', 'Pulled', 'm')
    await recorder.flush()
    expect(created.map((e) => e['count'])).toEqual([1, 1])
  })

  it('bounds the message and the number of events of one object, and survives refusals', async () => {
    const { created, state, clock, recorder } = recording()
    state.fails = true
    recorder.record(pod, 'Normal', 'R', 'refused')
    await recorder.flush()
    state.fails = false
    for (let i = 0; i < 60; i++) recorder.record(pod, 'Normal', 'R', `${i} ${'x'.repeat(2000)}`)
    await recorder.flush()
    expect(created.length).toBe(24)
    expect(String(created[0]?.['message']).length).toBe(1024)
    await clock.advance(300_000)
    recorder.record(pod, 'Normal', 'R', 'one more')
    await recorder.flush()
    expect(created.length).toBe(25)
  })

  it('gives up what can not be written within 10 s of a flush', async () => {
    const clock = new FakeClock()
    let tries = 0
    const client: Pick<Writer, 'create' | 'patch'> = {
      create: () => {
        tries += 1
        return new Promise((_, reject) =>
          clock.after(4000, () => reject(new ApiError(503, 'ServiceUnavailable', 'no'))),
        )
      },
      patch: () => Promise.reject(new Error('not called')),
    }
    const recorder = createEventRecorder({ client, component: 'test', clock, random: systemRandom, log: silentLog })
    for (let i = 0; i < 20; i++) recorder.record(pod, 'Normal', 'Began', `${i}`)
    let flushed = false
    const done = recorder.flush().then(() => {
      flushed = true
    })
    await clock.advance(9999)
    expect(flushed).toBe(false)
    await clock.advance(1)
    await done
    await clock.advance(60_000)
    expect(tries).toBe(3)
    recorder.record(pod, 'Normal', 'Later', 'x')
    await clock.advance(0)
    expect(tries).toBe(4)
  })
})
