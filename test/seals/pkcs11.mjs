/** An HSM in software: where SoftHSM and pkcs11js are, and how CI gets pkcs11js (SoftHSM comes with the system's packages). */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const version = '2.1.7'
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
// It is compiled for one version of Node's binary interface.
const folder = join(cache, `coffer/pkcs11js-${version}-node${process.versions.modules}`)
export const pkcs11jsPath = join(folder, 'node_modules')
const compiled = join(pkcs11jsPath, 'pkcs11js/build/Release/pkcs11.node')

const libraries = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
]
export const softHsmLibrary = libraries.find((path) => existsSync(path)) ?? ''

/** What is missing and how to get it; undefined when all is there. */
export function missingSoftHsm() {
  if (!softHsmLibrary) return 'SoftHSM is not installed; `apt-get install softhsm2` brings it'
  if (!existsSync(compiled)) return `${folder} does not exist; \`node test/seals/pkcs11.mjs\` makes it with npm`
  return undefined
}

if (process.argv[1] === import.meta.filename && !existsSync(compiled)) {
  // What an installation that was cut short left behind.
  rmSync(folder, { recursive: true, force: true })
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts=false']
  execFileSync('npm', ['install', '--prefix', folder, ...options, `pkcs11js@${version}`], { stdio: 'inherit' })
}
