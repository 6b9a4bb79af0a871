/**
 * Writes the generated pages of docs/reference: `npx tsx scripts/generate-reference.ts`. With --check it writes nothing and
 * fails when a page differs from what it would write; test/documentation.test.ts does the same.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderReference } from './reference/pages.ts'

const folder = join(import.meta.dirname, '..', 'docs', 'reference')
const pages = await renderReference()
const read = (name: string) => {
  try {
    return readFileSync(join(folder, name), 'utf8')
  } catch {
    return undefined
  }
}

if (process.argv.includes('--check')) {
  const stale = [...pages].filter(([name, text]) => read(name) !== text).map(([name]) => `docs/reference/${name}`)
  if (stale.length > 0) {
    console.error(`stale: ${stale.join(', ')}; run npx tsx scripts/generate-reference.ts`)
    process.exitCode = 1
  }
} else {
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of pages) writeFileSync(join(folder, name), text)
}
