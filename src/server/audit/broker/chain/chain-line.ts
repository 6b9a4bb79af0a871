/** Lines that speak of the chain itself: how it began and ended, what was dropped, and signed checkpoints. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { ChainHead } from './chain-log.ts'

/** What a device did not take. */
export interface Dropped {
  readonly lines: number
  /** Wall clock, ms. */
  readonly from: number
  readonly to: number
}

const s = JSON.stringify
const iso = (at: number) => new Date(at).toISOString()

/** A body as in audit-line.ts. */
export function chainBody(at: number, event: string, facts: JsonObject, prefix: string): string {
  const members = Object.entries(facts).map(([name, value]) => `,${s(name)}:${s(value)}`)
  return `${prefix}{"time":"${iso(at)}","type":"chain","event":"${event}"${members.join('')}`
}

/** What lines say of a chain. */
export type NamedHead = Pick<ChainHead, 'chain' | 'seq' | 'mac' | 'device' | 'at' | 'closed'>

export function headsMember(heads: readonly NamedHead[]): JsonObject {
  return Object.fromEntries(
    heads.map(({ chain, seq, mac, device, at, closed }) => [
      chain,
      { seq, mac, device, time: iso(at), ...(closed ? { closed } : {}) },
    ]),
  )
}

export function droppedBody(at: number, { lines, from, to }: Dropped, prefix: string): string {
  return chainBody(at, 'dropped', { lines, from: iso(from), to: iso(to) }, prefix)
}
