import { shellQuote } from '../../devcluster/workloads/runner/isolation/shell-quote.ts'

/** One word of a shell's line; quoted only where it has to be, for people read it. */
export const shellWord = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : shellQuote(word))

/** A file to source: paths and names may hold anything. */
export const shellExports = (values: Readonly<Record<string, string>>) =>
  Object.entries(values)
    .map(([name, value]) => `export ${name}=${shellWord(value)}\n`)
    .join('')
