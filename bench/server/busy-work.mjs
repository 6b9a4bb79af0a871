// Work as a server does it: text read and printed, bytes copied and hashed, memory used and left to the collector.
import { hash } from 'node:crypto'

const text = JSON.stringify(Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`key${n}`, String(n).repeat(90)])))

export function work(rounds) {
  for (let n = 0; n < rounds; n += 1) hash('sha256', Buffer.from(JSON.stringify(JSON.parse(text))))
}
