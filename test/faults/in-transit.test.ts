/** Node's own cluster, and a worker that ends with a connection unanswered: its end is known before the end of its messages. */
import cluster from 'node:cluster'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { InTransit } from '../../src/programs/server/workers/in-transit.ts'
import { signalTo } from '../e2e/workers-node.ts'

const within = { timeout: 10_000 }

/** Whether somebody listens there. */
const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => done(true)).once('error', () => done(false))
  })

// A process can be put to sleep, and its channel is file 3.
describe.runIf(process.platform === 'linux')('a worker that is killed with a connection on its way to it', () => {
  it('was the last: the first process listens no more (it could never end), and the client is told', async () => {
    cluster.schedulingPolicy = cluster.SCHED_RR
    cluster.setupPrimary({
      exec: fileURLToPath(new URL('in-transit-worker.mjs', import.meta.url)),
      ...{ serialization: 'advanced', execArgv: [], args: [] },
    })
    const worker = cluster.fork()
    const { pid = 0 } = worker.process
    let heir = 0
    try {
      let offered = 0
      const send = worker.process.send.bind(worker.process) as (...given: readonly unknown[]) => boolean
      worker.process.send = (...given: readonly unknown[]) => {
        if (given[1]) offered += 1
        return send(...given)
      }
      new InTransit().watch(worker)
      const [said] = await once(worker, 'message')
      const port: number = said.port
      heir = said.heir
      expect(await answers(port)).toBe(true)
      await expect.poll(() => offered, within).toBe(1)
      signalTo(pid, 'SIGSTOP')
      const client = connect(port, '127.0.0.1')
      client.on('error', () => {}).resume()
      const closed = once(client, 'close')
      await expect.poll(() => offered, within).toBe(2)
      const exited = once(worker.process, 'exit')
      signalTo(pid, 'SIGKILL')
      await exited
      await expect.poll(() => answers(port), within).toBe(false)
      // What was sent and never read lives as long as the channel.
      signalTo(heir, 'SIGKILL')
      await closed
    } finally {
      signalTo(pid, 'SIGKILL')
      if (heir) signalTo(heir, 'SIGKILL')
    }
  })
})
