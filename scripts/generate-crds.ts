/** Writes deploy/crds from src/controller/crds: `npx tsx scripts/generate-crds.ts`. With --check it writes nothing and exits 1 when they differ. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderDefinitions } from '../src/controller/crds/render.ts'

const folder = join(import.meta.dirname, '..', 'deploy', 'crds')
const stale: string[] = []
mkdirSync(folder, { recursive: true })
for (const [name, text] of renderDefinitions()) {
  const file = join(folder, name)
  if (!process.argv.includes('--check')) writeFileSync(file, text)
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) stale.push(file)
}
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; run npx tsx scripts/generate-crds.ts`)
  process.exitCode = 1
}
