import type { Writable } from 'node:stream'
import pc from 'picocolors'

/** What a person sees of a run. Colour only on a terminal, never with NO_COLOR. */
export interface Terminal {
  line(text?: string): void
  /** A numbered step's headline. */
  step(number: number, title: string): void
  /** Something that worked, with how long it took. */
  done(text: string, ms?: number): void
  /** Detail, indented. */
  detail(text: string): void
  /** One line to paste. */
  hint(command: string): void
  warn(text: string): void
  fail(text: string): void
}

export function createTerminal(
  out: Writable & { isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Terminal {
  const c = pc.createColors(Boolean(out.isTTY) && !env['NO_COLOR'] && env['TERM'] !== 'dumb')
  const write = (text: string) => void out.write(`${text}\n`)
  const indent = (text: string) =>
    text
      .split('\n')
      .map((line) => `      ${line}`)
      .join('\n')
  return {
    line: (text = '') => write(text),
    step: (number, title) => write(`\n${c.bold(c.cyan(`${number}. ${title}`))}`),
    done: (text, ms) => write(`   ${c.green('✓')} ${text}${ms === undefined ? '' : c.dim(` (${formatMs(ms)})`)}`),
    detail: (text) => write(c.dim(indent(text))),
    hint: (command) => write(`   ${c.dim('try:')} ${command}`),
    warn: (text) => write(`   ${c.yellow('!')} ${text}`),
    fail: (text) => write(`   ${c.red('✗')} ${text}`),
  }
}

export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
