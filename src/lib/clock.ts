/** Time, passed in everywhere so that tests own it. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Milliseconds that only go forward; for elapsed time. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Runs `fn` once after `ms`; the returned function cancels it. Does not keep the process alive. */
  after(ms: number, fn: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = startTimer(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
  after: (ms, fn) => startTimer(ms, fn, 'unref'),
}

/** About 25 days. What is longer Node would make 1 ms. */
const longestTimerMs = 2 ** 31 - 1

function startTimer(ms: number, fn: () => void, unref?: 'unref'): () => void {
  let timer: NodeJS.Timeout
  const arm = (leftMs: number) => {
    const next = leftMs > longestTimerMs ? () => arm(leftMs - longestTimerMs) : fn
    timer = setTimeout(next, Math.min(leftMs, longestTimerMs))
    if (unref) timer.unref()
  }
  arm(ms)
  return () => clearTimeout(timer)
}
