/** Where the clients of other makers are that CI installs. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')

export const hvacVersion = '2.4.0'
const hvac = join(cache, `coffer/hvac-${hvacVersion}`)
export const hvacPython = join(hvac, 'bin/python')
export const hashiVaultJs = join(root, '.ci/node_modules/hashi-vault-js/src/Vault.js')

/** What is missing and how to get it; undefined when all are there. */
export function missingClients() {
  if (!existsSync(hashiVaultJs)) return `${hashiVaultJs} is not installed; \`npm ci --prefix .ci\` brings it`
  if (!existsSync(hvacPython)) return `${hvac} does not exist; \`node test/clients/programs.mjs\` makes it with pip`
  return missingProgram('go', 'version') ?? missingProgram('gpg', '--version')
}

function missingProgram(name, argument) {
  try {
    execFileSync(name, [argument], { stdio: 'ignore' })
    return undefined
  } catch {
    return `${name} is not installed`
  }
}

if (process.argv[1] === import.meta.filename && !existsSync(hvacPython)) {
  execFileSync('python3', ['-m', 'venv', hvac], { stdio: 'inherit' })
  execFileSync(hvacPython, ['-m', 'pip', 'install', '-q', `hvac==${hvacVersion}`], { stdio: 'inherit' })
}
