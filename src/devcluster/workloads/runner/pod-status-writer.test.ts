import { describe, expect, it } from 'vitest'
import type { Pod } from '../../../kube/object-types.ts'
import { FakeClock } from '../../../lib/fake-clock.ts'
import { silentLog } from '../../../lib/log.ts'
import { PodStatusWriter } from './pod-status-writer.ts'

const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'ns', uid: 'u' } }
const snapshot = () => ({ pod, record: { init: [], main: [], startedAtMs: 0 } })

function writerTo(patch: () => Promise<unknown>) {
  const clock = new FakeClock()
  const client = { patch: patch as never, delete: patch as never }
  const host = { nodeName: 'n', hostIp: '127.0.0.1' }
  return { clock, writer: new PodStatusWriter({ client, clock, log: silentLog, host }) }
}

describe('the status of a pod', () => {
  it('is written again until the API server takes it', async () => {
    let tries = 0
    const { writer, clock } = writerTo(async () => {
      tries += 1
      if (tries < 3) throw new Error('unreachable')
    })
    writer.publish(snapshot)
    const flushed = writer.flush()
    for (let i = 0; i < 3; i++) await clock.advance(1000)
    await flushed
    expect(tries).toBe(3)
  })

  it('that nobody needs any more holds nobody up, nor does the report of the end', async () => {
    let tries = 0
    const { writer } = writerTo(async () => {
      tries += 1
      throw new Error('unreachable')
    })
    writer.publish(snapshot)
    const flushed = writer.flush()
    writer.abandon()
    await flushed
    await writer.deletePod(pod)
    expect(tries).toBeLessThan(2)
  })
})
