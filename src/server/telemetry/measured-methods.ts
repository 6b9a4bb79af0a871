import type { Clock } from '../../lib/clock.ts'
import type { Summary } from './summary.ts'

type Asynchronous = (...args: never[]) => Promise<unknown>

/** Which methods of T are timed by what. */
export type Measured<T> = {
  readonly [K in keyof T]?: T[K] extends Asynchronous ? Summary | readonly Summary[] : never
}

/** Times work that has just begun. */
export function timeWork(work: Promise<unknown>, clock: Clock, summary: Summary): void {
  const begun = clock.monotonic()
  const ended = () => {
    const now = clock.monotonic()
    summary.observe(now - begun, now)
  }
  work.then(ended, ended)
}

/**
 * The object itself, whose methods named here are timed from now on, well or badly as they end. Only this object: what measures
 * is put before the method of its class, which knows nothing of it.
 */
export function measureMethods<T extends object>(target: T, clock: Clock, measured: Measured<T>): T {
  for (const [name, given] of Object.entries<Summary | readonly Summary[] | undefined>(measured)) {
    const method: unknown = Reflect.get(target, name)
    if (typeof method !== 'function' || given === undefined) throw new Error(`${name} is no method that can be timed`)
    const summaries = 'observe' in given ? [given] : given
    const timed = (...args: unknown[]): Promise<unknown> => {
      const begun = clock.monotonic()
      const ended = () => {
        const now = clock.monotonic()
        for (const summary of summaries) summary.observe(now - begun, now)
      }
      const running: Promise<unknown> = Reflect.apply(method, target, args)
      running.then(ended, ended)
      return running
    }
    Object.defineProperty(target, name, { value: timed, configurable: true, writable: true })
  }
  return target
}
