/**
 * A signal that aborts with `signal`, or when `stop` is called. Unlike AbortSignal.any it leaves nothing behind on a
 * signal that lives as long as the process: `stop` must be called.
 */
export function linkedAbort(signal: AbortSignal): { signal: AbortSignal; stop: (reason: Error) => void } {
  const controller = new AbortController()
  const follow = () => controller.abort(signal.reason)
  if (signal.aborted) follow()
  else signal.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    stop: (reason) => {
      signal.removeEventListener('abort', follow)
      controller.abort(reason)
    },
  }
}
