/** The package that speaks PKCS#11. It is compiled where it is installed, so Coffer does not bring it along: whoever has an HSM installs it. */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Cryptoki } from '../../../server/seal/pkcs11/cryptoki.ts'
import { TokenFault } from '../../../server/seal/pkcs11/token-fault.ts'

const name = 'pkcs11js'
const version = '2.1.7'
const advice = `run "npm install --prefix /opt/coffer-hsm ${name}@${version}" (it needs a C++ compiler, make and Python 3) and start Coffer with NODE_PATH=/opt/coffer-hsm/node_modules`

/** Beside Coffer, or where NODE_PATH says. */
const requireFrom = createRequire(import.meta.url)

/** Why it can't be used, with what to do; undefined when it is there. Loads nothing. */
export function missingPkcs11js(): string | undefined {
  let entry: string
  try {
    entry = requireFrom.resolve(name)
  } catch {
    return `the package ${name} is not installed: ${advice}`
  }
  const compiled = join(dirname(entry), 'build/Release/pkcs11.node')
  if (existsSync(compiled)) return undefined
  return `the package ${name} in ${dirname(entry)} is not compiled (was it installed with --ignore-scripts?): ${advice}`
}

/** In a process of its own only. Throws TokenFault. */
export function loadPkcs11js(): Cryptoki {
  let loaded: unknown
  try {
    loaded = requireFrom(name)
  } catch (cause) {
    const said = cause instanceof Error ? cause.message.split('\n')[0] : 'unknown'
    throw new TokenFault(`the package ${name} cannot be loaded (${said}): ${advice}`, { cause })
  }
  if (!isPkcs11js(loaded)) throw new TokenFault(`the package ${name} is not the one that Coffer knows: ${advice}`)
  return new loaded.PKCS11()
}

const isPkcs11js = (module: unknown): module is { readonly PKCS11: new () => Cryptoki } =>
  typeof module === 'object' && module !== null && 'PKCS11' in module && typeof module.PKCS11 === 'function'
