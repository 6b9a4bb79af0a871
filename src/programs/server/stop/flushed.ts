import type { Writable } from 'node:stream'
import type { Clock } from '../../../lib/clock.ts'

/** A reader that reads nothing does not keep a server that has ended. */
const withinMs = 1000

/** What was written to these has left this process: a full pipe (its reader is slow) takes the last lines later, and an exit drops them. */
export async function flushed(streams: readonly Writable[], clock: Clock): Promise<void> {
  const full = streams.filter(({ writableLength }) => writableLength > 0)
  if (full.length === 0) return
  const enough = new AbortController()
  const late = clock.sleep(withinMs, enough.signal).catch(() => undefined)
  await Promise.race([Promise.all(full.map((stream) => new Promise((done) => stream.write('', done)))), late])
  enough.abort(new Error('flushed'))
}
