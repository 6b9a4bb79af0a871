import type { Clock } from '../lib/clock.ts'
import type { Transport } from './transport.ts'

export interface Rate {
  readonly perSecond: number
  /** So many may go at once before the pauses begin. */
  readonly burst: number
}

/** "10" or "10:20" (requests a second, burst), as VAULT_RATE_LIMIT has it; undefined when it is neither. */
export function parseRate(text: string): Rate | undefined {
  const match = /^(\d+(?:\.\d+)?)(?::(\d+))?$/.exec(text.trim())
  const perSecond = Number(match?.[1])
  if (!match || !(perSecond > 0) || !Number.isFinite(perSecond)) return undefined
  const burst = match[2] === undefined ? Math.max(1, Math.floor(perSecond)) : Number(match[2])
  return burst > 0 ? { perSecond, burst } : undefined
}

/** The same transport, no faster than `rate`: who comes too early waits its turn. */
export function limitRate(transport: Transport, rate: Rate, clock: Clock): Transport {
  const { stream, transfer, close } = transport
  const intervalMs = 1000 / rate.perSecond
  // The moment at which the last place given out is worn off; a full bucket lies `burst` intervals behind.
  let filledUntil = clock.monotonic() - rate.burst * intervalMs
  const turn = async (signal?: AbortSignal) => {
    const now = clock.monotonic()
    filledUntil = Math.max(filledUntil, now - rate.burst * intervalMs) + intervalMs
    if (filledUntil > now) await clock.sleep(filledUntil - now, signal)
  }
  return {
    send: async (request, signal) => {
      await turn(signal)
      return transport.send(request, signal)
    },
    ...(stream && {
      stream: async (request, signal) => {
        await turn(signal)
        return stream.call(transport, request, signal)
      },
    }),
    ...(transfer && {
      transfer: async (request, signal) => {
        await turn(signal)
        return transfer.call(transport, request, signal)
      },
    }),
    ...(close && { close: () => close.call(transport) }),
  }
}
