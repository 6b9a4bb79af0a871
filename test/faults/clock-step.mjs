// `node --import 'clock-step.mjs?at=<file>'`: the wall clock is ahead by as many milliseconds as stand in the file, read every 20 ms.
// The monotonic clock stays as it is: so does a machine's whose clock is set.
import { readFileSync } from 'node:fs'

const file = new URL(import.meta.url).searchParams.get('at') ?? ''
const SystemDate = Date
const systemNow = Date.now.bind(Date)
let [ahead, lookedAt] = [0, Number.NEGATIVE_INFINITY]

function now() {
  if (performance.now() - lookedAt > 20) {
    lookedAt = performance.now()
    ahead = Number(readFileSync(file, 'utf8'))
  }
  return systemNow() + ahead
}

SystemDate.now = now
globalThis.Date = new Proxy(SystemDate, {
  construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args),
})
