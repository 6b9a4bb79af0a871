/** From a stanza to the seal of an HSM. The maker's library is loaded by a process of its own, never by this one. */
import type { Env } from '../../../lib/setting.ts'
import { nodeFlags } from '../../../lib/v8-flags.ts'
import type { Seal } from '../../../server/contracts/devices.ts'
import { pkcs11Seal } from '../../../server/seal/pkcs11/pkcs11.ts'
import { TokenFault } from '../../../server/seal/pkcs11/token-fault.ts'
import { askToken } from '../../../server/seal/pkcs11/token-process.ts'
import { readSource } from './key-source.ts'
import type { OpenSealsOptions } from './open-seals.ts'
import { type Pkcs11Stanza, pkcs11SettingsOf } from './pkcs11-stanza.ts'
import { missingPkcs11js } from './pkcs11js.ts'

/** As long as the transit seal waits for its server. */
const deadlineMs = 30_000

/** Throws an Error that says what is missing; whether the token answers shows later. */
export function openPkcs11(stanza: Pkcs11Stanza, options: OpenSealsOptions): Seal {
  const { env, clock, random, signal } = options
  const { pin: source, ...settings } = pkcs11SettingsOf(stanza, env)
  const pin = () =>
    Buffer.from(readSource(source, 'seal "pkcs11": pin', env))
      .toString('utf8')
      .trim()
  // A file may come later, or change; that there is none at the start is a mistake.
  pin()
  const missing = missingPkcs11js()
  if (missing) throw new Error(`seal "pkcs11": ${missing}`)
  const command = [process.execPath, ...nodeFlags(), process.argv[1] ?? '', 'pkcs11-token']
  return pkcs11Seal({
    settings,
    random,
    pin: () => {
      try {
        return pin()
      } catch (cause) {
        throw new TokenFault(cause instanceof Error ? cause.message : 'the PIN cannot be read', { cause })
      }
    },
    ask: (message) => askToken(message, { command, env: environmentOf(env), clock, deadlineMs, signal }),
  })
}

/** What the maker's library needs stays (SOFTHSM2_CONF and the like); what is Coffer's, PIN and tokens among it, does not. */
const environmentOf = (env: Env): Env => ({
  ...Object.fromEntries(Object.entries(env).filter(([name]) => !/^(COFFER|VAULT|BAO)_/.test(name))),
  // Where the server was started under the name vault, that has no such program.
  COFFER_ARGV0: 'coffer',
})
