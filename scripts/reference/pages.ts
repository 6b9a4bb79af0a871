/** The pages of docs/reference that are made from tables of the code; the others are hand-written and compared by test/documentation.test.ts. */
import { renderCli } from './cli.ts'
import { renderWire } from './wire.ts'

export async function renderReference(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['cli.md', renderCli()],
    ['wire.md', await renderWire()],
  ])
}
