/** AWS as moto (PyPI, Apache-2.0) plays it: where it is, and how CI gets it. */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

export const motoVersion = '5.2.5'
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
const moto = join(cache, `coffer/moto-${motoVersion}`)
export const motoPython = join(moto, 'bin/python')
export const motoServer = join(moto, 'bin/moto_server')

/** What is missing and how to get it; undefined when it is there. */
export function missingMoto() {
  return existsSync(motoServer) ? undefined : `${moto} does not exist; \`node test/seals/moto.mjs\` makes it with pip`
}

if (process.argv[1] === import.meta.filename && !existsSync(motoServer)) {
  // What an installation that was cut short left behind.
  rmSync(moto, { recursive: true, force: true })
  execFileSync('python3', ['-m', 'venv', moto], { stdio: 'inherit' })
  execFileSync(motoPython, ['-m', 'pip', 'install', '-q', `moto[server]==${motoVersion}`], { stdio: 'inherit' })
}
