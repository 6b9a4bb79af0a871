import { readFileSync } from 'node:fs'
import type { Outcome } from './findings.ts'

const few = 4096

/** Each connection is an open file. Known where there is /proc. */
export function checkOpenFiles(): Outcome {
  let limits: string
  try {
    limits = readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return { skipped: true, message: 'this system does not say' }
  }
  const limit = /^Max open files\s+(\d+)/m.exec(limits)?.[1]
  if (limit === undefined) return { message: 'unlimited' }
  return Number(limit) < few
    ? { warnings: [`Open file limits are set to ${limit}: ${few} or more serve more clients`] }
    : { message: limit }
}
