import type { CliContext } from '../../command.ts'

const everyMs = 1000

/** The same bytes; on a terminal, how many they were so far, each second on one line of stderr. */
export async function* withProgress(
  { clock, stderr }: CliContext,
  source: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array> {
  const shown = 'isTTY' in stderr && stderr.isTTY === true
  let bytes = 0
  let last = clock.monotonic()
  let any = false
  try {
    for await (const chunk of source) {
      bytes += chunk.length
      yield chunk
      const now = clock.monotonic()
      if (!shown || now - last < everyMs) continue
      last = now
      any = true
      stderr.write(`\r${what} ${(bytes / 1024 / 1024).toFixed(1)} MiB`)
    }
  } finally {
    if (any) stderr.write('\n')
  }
}
