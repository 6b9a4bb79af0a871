/**
 * Loaded into the server: how much of a processor its main thread takes between two looks at the clock, so in one go. Unlike the
 * delay of the event loop it does not count what the machine gives to others. From one SIGUSR2 to the next; then they are in
 * the file that COFFER_BENCH_LOOP_CPU names, in ms.
 */
import { openSync, readSync, renameSync, writeFileSync } from 'node:fs'

/** Undefined: not every kernel tells. */
function ofThisThread() {
  try {
    const stat = openSync('/proc/thread-self/schedstat', 'r')
    const text = Buffer.alloc(64)
    // The first number: nanoseconds.
    return () => Number.parseInt(text.toString('latin1', 0, readSync(stat, text, 0, 64, 0)), 10) / 1e6
  } catch {
    return undefined
  }
}

/** What compiles and collects beside the main thread counts too, then. */
function ofAllThreads() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

const file = process.env.COFFER_BENCH_LOOP_CPU
if (file && process.argv[2] === 'server') {
  const taken = ofThisThread() ?? ofAllThreads
  let goes
  let last = 0
  setInterval(() => {
    if (!goes) return
    goes.push(taken() - last)
    last = taken()
  }, 1).unref()
  process.on('SIGUSR2', () => {
    const seen = goes
    goes = seen ? undefined : []
    last = taken()
    if (!seen) return
    writeFileSync(`${file}.new`, JSON.stringify(seen))
    renameSync(`${file}.new`, file)
  })
}
