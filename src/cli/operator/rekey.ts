import type { Json, JsonObject } from '../../lib/json/value.ts'
import { text, texts } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { documentOf } from '../output/seal-status.ts'
import { line, printDocument, printSecret, warn } from '../output/secret.ts'
import { columnsOf } from '../output/table.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import { keyShare } from './key-share.ts'
import { pgpKeys } from './pgp-keys.ts'

export const operatorRekey: Command = {
  name: 'operator rekey',
  summary: 'New unseal keys, or recovery keys',
  args: '[options] [KEY]',
  about:
    'Begun with -init, then each holder of a present key enters it. With -verify the new keys count only once their ' +
    'holders have shown them. Without KEY it is asked for, hidden; - reads it from stdin.',
  examples: [
    { says: 'Begin: five new keys, three of which unseal', run: 'operator rekey -init -key-shares=5 -key-threshold=3' },
    {
      says: 'The same, each new key for its holder only, and a copy kept for an emergency',
      run: 'operator rekey -init -n=2 -t=2 -pgp-keys=ann.asc,bob.asc -backup',
    },
    { says: 'Enter a present key', run: 'operator rekey -nonce=…' },
    { says: 'Show a new key', run: 'operator rekey -verify -nonce=…' },
    { says: 'How far it is', run: 'operator rekey -status' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    init: { kind: 'bool', about: 'Begin.' },
    cancel: { kind: 'bool', about: 'Forget the keys entered so far, and the settings.' },
    status: { kind: 'bool', about: 'How far it is.' },
    verify: { kind: 'bool', about: 'With -init: new keys are to be shown. Else: this is about showing them.' },
    'key-shares': { kind: 'int', alias: 'n', about: 'Number of new keys; default 5.' },
    'key-threshold': { kind: 'int', alias: 't', about: 'How many of them are needed; default 3.' },
    nonce: { kind: 'text', about: 'The nonce that -init printed.' },
    target: { kind: 'text', about: 'barrier (unseal keys, the default) or recovery.' },
    'pgp-keys': { kind: 'text', about: 'Files with PGP public keys, separated by commas: one for each new key.' },
    backup: { kind: 'bool', about: 'Keep a copy of the new keys, encrypted to the PGP keys, in storage.' },
    'backup-retrieve': { kind: 'bool', about: 'Show that copy.' },
    'backup-delete': { kind: 'bool', about: 'Delete that copy.' },
  },
  takes: { min: 0, max: 1 },
  run: (call) => {
    const { flags } = call
    if (flags.on('backup-delete')) return deleteBackup(call)
    if (flags.on('backup-retrieve')) return showBackup(call)
    if (flags.on('cancel')) return cancel(call)
    if (flags.on('init')) return begin(call)
    if (flags.on('status')) return show(call)
    return provide(call)
  },
}

/** "sys/rekey" or "sys/rekey-recovery-key". */
function pathOf(call: CommandCall): string {
  const target = (call.flags.text('target') ?? 'barrier').trim().toLowerCase()
  if (target === 'barrier') return 'sys/rekey'
  if (target === 'recovery' || target === 'hsm') return 'sys/rekey-recovery-key'
  throw new Failure(1, `Unknown target: ${target}`)
}

const ask = async (call: CommandCall, method: 'GET' | 'PUT' | 'DELETE', path: string, body?: JsonObject) =>
  documentOf(
    (await call.session.client().request({ method, path, ...(body ? { body } : {}), signal: call.context.signal }))
      .document,
  )

async function begin(call: CommandCall): Promise<number> {
  const { flags } = call
  const pgp = await pgpKeys(flags.text('pgp-keys'))
  const body = {
    secret_shares: flags.int('key-shares') ?? 5,
    secret_threshold: flags.int('key-threshold') ?? 3,
    pgp_keys: pgp,
    backup: flags.on('backup'),
    require_verification: flags.on('verify'),
  }
  const status = await failing('Error initializing rekey', ask(call, 'PUT', `${pathOf(call)}/init`, body))
  if (call.session.format() === 'table') {
    if (pgp.length === 0) warn(call, bareKeys)
    else if (!flags.on('backup')) warn(call, noBackup)
  }
  return printStatus(call, status)
}

const bareKeys =
  'WARNING! If you lose the keys after they are returned, there is no recovery. Consider canceling this operation\n' +
  'and re-initializing with the -pgp-keys flag to protect the returned keys, along with -backup to keep the encrypted\n' +
  'keys for an emergency.\n'

const noBackup =
  'WARNING! The keys will be encrypted, but not backed up: if you lose them after they are returned, there is no\n' +
  'recovery. Consider canceling this operation and re-initializing with the -backup flag, too.\n'

async function cancel(call: CommandCall): Promise<number> {
  const path = call.flags.on('verify') ? 'verify' : 'init'
  await failing('Error canceling rekey', ask(call, 'DELETE', `${pathOf(call)}/${path}`))
  line(call, 'Success! Canceled rekeying (if it was started)')
  return 0
}

const statusPath = (call: CommandCall) => `${pathOf(call)}/${call.flags.on('verify') ? 'verify' : 'init'}`

async function show(call: CommandCall): Promise<number> {
  return printStatus(call, await failing('Error reading rekey status', ask(call, 'GET', statusPath(call))))
}

async function provide(call: CommandCall): Promise<number> {
  const verify = call.flags.on('verify')
  const status = await failing('Error getting rekey status', ask(call, 'GET', statusPath(call)))
  if (status['started'] !== true) {
    throw new Failure(
      1,
      `No rekey is in progress. Start a rekey process by running "${call.context.name} operator rekey -init".`,
    )
  }
  const given = call.flags.text('nonce')
  if (given === undefined && call.args[0] === '-') throw new Failure(1, 'Key from stdin: give the nonce with -nonce')
  const nonce = given ?? text(status['nonce'])
  if (given === undefined) warn(call, `Rekey operation nonce: ${nonce}`)
  const key = await keyShare(
    call,
    verify ? 'Rekey Verification Key (will be hidden): ' : 'Unseal Key (will be hidden): ',
  )
  const path = `${pathOf(call)}/${verify ? 'verify' : 'update'}`
  const answer = await failing('Error posting unseal key', ask(call, 'PUT', path, { key, nonce }))
  if (answer['complete'] !== true) return printStatus(call, answer)
  if (call.session.format() !== 'table') printDocument(call, answer)
  else if (verify) {
    line(call, 'Rekey verification successful. The rekey operation is complete and the new keys are now active.')
  } else printResult(call, status, answer)
  return 0
}

function printStatus(call: CommandCall, status: JsonObject): number {
  if (call.session.format() !== 'table') {
    printDocument(call, status)
    return 0
  }
  const show = (value: Json | undefined) => String(value ?? '')
  const rows: [string, string][] = [
    ['Nonce', show(status['nonce'])],
    ['Started', show(status['started'])],
  ]
  if (status['started'] === true) {
    rows.push(['Rekey Progress', `${show(status['progress'])}/${show(status['required'] ?? status['t'])}`])
    rows.push(['New Shares', show(status['n'])], ['New Threshold', show(status['t'])])
    if (status['verification_required'] === true) rows.push(['Verification Required', 'true'])
    if (status['verification_nonce']) rows.push(['Verification Nonce', show(status['verification_nonce'])])
  }
  const fingerprints = texts(status['pgp_fingerprints'])
  if (fingerprints.length > 0)
    rows.push(['PGP Fingerprints', `[${fingerprints.join(' ')}]`], ['Backup', show(status['backup'])])
  line(call, columnsOf([['Key', 'Value'], ['---', '-----'], ...rows]))
  return 0
}

function printResult(call: CommandCall, status: JsonObject, answer: JsonObject): void {
  const keys = texts(answer['keys_base64'])
  if (keys.length === 0) {
    line(call, '\nBarrier root key rotated using recovery keys.')
    return
  }
  const fingerprints = texts(answer['pgp_fingerprints'])
  line(call, '')
  keys.forEach((key, i) => {
    const fingerprint = fingerprints[i] === undefined ? '' : ` fingerprint: ${fingerprints[i]};`
    line(call, `Key ${i + 1}${fingerprint}${fingerprint ? ' value' : ''}: ${key}`)
  })
  line(call, `\nOperation nonce: ${text(answer['nonce'])}`)
  const what = pathOf(call) === 'sys/rekey' ? 'unseal' : 'recovery'
  if (fingerprints.length > 0 && answer['backup'] === true) {
    const target = what === 'unseal' ? '' : ' -target=recovery'
    line(
      call,
      `\nThe encrypted ${what} keys are backed up in the storage. Nothing but "${call.context.name} operator rekey\n` +
        `-backup-delete${target}" removes them.`,
    )
  }
  const [shares, threshold] = [String(status['n']), String(status['t'])]
  if (answer['verification_required'] === true) {
    line(
      call,
      `\nVault has created a new ${what} key, split into ${shares} key shares and a key threshold of ${threshold}.\n` +
        'These will not be active until after verification is complete: do not discard the current key shares before.\n\n' +
        `Verification nonce: ${text(answer['verification_nonce'])}`,
    )
    return
  }
  line(
    call,
    `\nVault ${what} keys rekeyed to ${shares} key shares and a key threshold of ${threshold}. Please securely distribute\n` +
      'the key shares printed above.',
  )
}

const backupPath = (call: CommandCall) =>
  pathOf(call) === 'sys/rekey' ? 'sys/rekey/backup' : 'sys/rekey/recovery-key-backup'

async function showBackup(call: CommandCall): Promise<number> {
  const asked = call.session.read(backupPath(call))
  const answer = await failing('Error retrieving rekey backed up keys', asked)
  if (answer) printSecret(call, answer)
  return 0
}

async function deleteBackup(call: CommandCall): Promise<number> {
  await failing('Error deleting rekey backed up keys', call.session.client().delete(backupPath(call)))
  line(call, 'Success! Deleted backed up keys (if they existed)')
  return 0
}
