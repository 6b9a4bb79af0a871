import { writeFileSync } from 'node:fs'
import type { ProgramIo } from './program.ts'

/** Before anything else: no core dumps, no debugger by signal, no prototype behind a key that a client chose. SECURITY.md says what this does not stop. */
export function secureProcess(): void {
  // Without a listener SIGUSR1 opens the inspector on 127.0.0.1:9229, from which every key can be read.
  process.on('SIGUSR1', () => {})
  if (process.platform === 'linux') {
    try {
      writeFileSync('/proc/self/coredump_filter', '0')
    } catch {
      // A container may forbid it; SECURITY.md asks for a core limit of 0 then.
    }
  }
  Reflect.deleteProperty(Object.prototype, '__proto__')
  // An inherited umask may be 0000 or 0077; files that hold secrets set their own mode.
  process.umask(0o022)
}

/** AWS's SDK would tell operators of later versions of itself, in the middle of the log. It reads this when it is loaded. */
export function hushAwsSdk(): void {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
}

/** The process as programs see it. `stop` also fires when the parent that supervises us (COFFER_SUPERVISED) goes away. */
export function realIo(): ProgramIo {
  const stop = new AbortController()
  let signals = 0
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1
    if (signals > 1) process.exit(128 + (signal === 'SIGINT' ? 2 : 15))
    stop.abort(new Error(signal))
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  if (process.env['COFFER_SUPERVISED'] === '1' && process.channel) {
    process.on('disconnect', () => stop.abort(new Error('parent ended')))
    process.channel.unref()
  }
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    stop: stop.signal,
    onReload: (fn) => process.on('SIGHUP', fn),
    exit: (status) => process.exit(status),
  }
}
