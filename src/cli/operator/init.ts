import type { JsonObject } from '../../lib/json/value.ts'
import { text, texts } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, failing } from '../command.ts'
import { OrderedMembers } from '../output/documents.ts'
import { documentOf } from '../output/seal-status.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import { pgpKey, pgpKeys } from './pgp-keys.ts'

export const operatorInit: Command = {
  name: 'operator init',
  summary: 'Prepare a new server: its keys and the first token',
  args: '[options]',
  about: 'The unseal keys and the root token are shown once and kept nowhere.',
  examples: [
    { says: 'Five keys, three of which unseal', run: 'operator init' },
    {
      says: 'Each key for its holder only',
      run: 'operator init -key-shares=2 -key-threshold=2 -pgp-keys=ann.asc,bob.asc -root-token-pgp-key=ann.asc',
    },
    { says: 'For a script', run: 'operator init -key-shares=1 -key-threshold=1 -format=json' },
    { says: 'Is it done already? (0 yes, 2 no)', run: 'operator init -status' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    'key-shares': { kind: 'int', alias: 'n', about: 'Number of unseal keys; default 5.' },
    'key-threshold': { kind: 'int', alias: 't', about: 'How many of them unseal; default 3.' },
    'recovery-shares': { kind: 'int', about: 'Number of recovery keys, where the server unseals itself.' },
    'recovery-threshold': { kind: 'int', about: 'How many of them are needed.' },
    'stored-shares': { kind: 'int', about: 'Not used; accepted as Vault does.' },
    'pgp-keys': { kind: 'text', about: 'Files with PGP public keys, separated by commas: one for each unseal key.' },
    'recovery-pgp-keys': { kind: 'text', about: 'The same for recovery keys.' },
    'root-token-pgp-key': { kind: 'text', about: 'File with the PGP public key that the root token is encrypted to.' },
    status: { kind: 'bool', about: 'Only say whether it is initialised.' },
  },
  takes: { min: 0, max: 0 },
  run: (call) => (call.flags.on('status') ? showStatus(call) : initialise(call)),
}

async function showStatus(call: CommandCall): Promise<number> {
  const client = call.session.client({ token: '' })
  const asked = client.request({ method: 'GET', path: 'sys/init', signal: call.context.signal })
  const done = documentOf((await failing('Error checking init status', asked)).document)['initialized'] === true
  line(call, done ? 'Vault is initialized' : 'Vault is not initialized')
  return done ? 0 : 2
}

async function initialise(call: CommandCall): Promise<number> {
  const { flags, session, context } = call
  const client = session.client({ token: '' })
  const recovery = await wantsRecovery(call)
  const [sharesFlag, thresholdFlag] = recovery
    ? (['recovery-shares', 'recovery-threshold'] as const)
    : (['key-shares', 'key-threshold'] as const)
  const shares = flags.int(sharesFlag) ?? 5
  const threshold = flags.int(thresholdFlag) ?? (flags.has(sharesFlag) ? Math.min(3, shares) : 3)
  const unsealPgp = await pgpKeys(flags.text('pgp-keys'))
  const recoveryPgp = await pgpKeys(flags.text('recovery-pgp-keys'))
  const rootPgp = await pgpKey(flags.text('root-token-pgp-key'))
  const kind = recovery ? 'recovery' : 'secret'
  const body = {
    [`${kind}_shares`]: shares,
    [`${kind}_threshold`]: threshold,
    ...(unsealPgp.length > 0 ? { pgp_keys: unsealPgp } : {}),
    ...(recoveryPgp.length > 0 ? { recovery_pgp_keys: recoveryPgp } : {}),
    ...(rootPgp === undefined ? {} : { root_token_pgp_key: rootPgp }),
  }
  const asked = client.request({ method: 'PUT', path: 'sys/init', body, signal: context.signal })
  const keys = documentOf((await failing('Error initializing', asked)).document)
  if (session.format() === 'table') printKeys(call, keys, { shares, threshold })
  else printDocument(call, asScriptsReadIt(keys, { shares, threshold, recovery }))
  return 0
}

/** A server that unseals itself gives recovery keys: without a flag of either kind it is asked what it is. */
async function wantsRecovery(call: CommandCall): Promise<boolean> {
  const { flags, session, context } = call
  if (['recovery-shares', 'recovery-threshold', 'recovery-pgp-keys'].some((name) => flags.has(name))) return true
  if (['key-shares', 'key-threshold', 'pgp-keys'].some((name) => flags.has(name))) return false
  const asked = session
    .client({ token: '' })
    .request({ method: 'GET', path: 'sys/seal-status', signal: context.signal })
  return documentOf((await failing('Error reading seal status', asked)).document)['recovery_seal'] === true
}

function printKeys(call: CommandCall, keys: JsonObject, count: { shares: number; threshold: number }): void {
  const unseal = texts(keys['keys_base64'])
  unseal.forEach((key, i) => {
    line(call, `Unseal Key ${i + 1}: ${key}`)
  })
  const recovery = texts(keys['recovery_keys_base64'])
  recovery.forEach((key, i) => {
    line(call, `Recovery Key ${i + 1}: ${key}`)
  })
  line(call, `\nInitial Root Token: ${text(keys['root_token'])}`)
  if (recovery.length > 0) {
    line(
      call,
      `\nThe server unseals itself, and is initialised with ${count.shares} recovery key(s), ${count.threshold} of which agree to new keys,\n` +
        'root tokens and another seal; they unseal nothing. Keep them apart and safe: they and the token are shown only now\n' +
        'and kept nowhere. Without what its seal needs the data is lost for good, recovery keys or not.',
    )
  }
  if (unseal.length === 0) return
  line(
    call,
    `\nThe server is initialised with ${count.shares} unseal key(s), ${count.threshold} of which unseal it.\n` +
      'Keep them apart and safe: they and the token are shown only now and kept nowhere. After each start or seal,\n' +
      `enter ${count.threshold} of them with "${call.context.name} operator unseal". Without ${count.threshold} of them the data is lost for good.`,
  )
}

/** The names that bootstrap scripts expect of `operator init -format=json`. */
function asScriptsReadIt(
  keys: JsonObject,
  count: { shares: number; threshold: number; recovery: boolean },
): OrderedMembers {
  const recovery = texts(keys['recovery_keys_base64'])
  return new OrderedMembers([
    ['unseal_keys_b64', texts(keys['keys_base64'])],
    ['unseal_keys_hex', texts(keys['keys'])],
    ['unseal_shares', count.recovery ? 1 : count.shares],
    ['unseal_threshold', count.recovery ? 1 : count.threshold],
    ['recovery_keys_b64', recovery],
    ['recovery_keys_hex', texts(keys['recovery_keys'])],
    ['recovery_keys_shares', recovery.length],
    ['recovery_keys_threshold', count.recovery ? count.threshold : 0],
    ['root_token', text(keys['root_token'])],
  ])
}
