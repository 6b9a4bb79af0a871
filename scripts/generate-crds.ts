/** Writes deploy/crds from src/controller/crds: `npx tsx scripts/generate-crds.ts`. A unit test fails while they differ. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderDefinitions } from '../src/controller/crds/render.ts'

const folder = join(import.meta.dirname, '..', 'deploy', 'crds')
mkdirSync(folder, { recursive: true })
for (const [name, text] of renderDefinitions()) writeFileSync(join(folder, name), text)
