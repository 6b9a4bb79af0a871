import type { Json, JsonObject } from '../../lib/json/value.ts'
import { base62, systemRandom } from '../../lib/random.ts'
import { text } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { readAll } from '../input/stream-text.ts'
import { documentOf } from '../output/seal-status.ts'
import { line, printDocument, printRaw, warn } from '../output/secret.ts'
import { columnsOf } from '../output/table.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import { keyShare } from './key-share.ts'
import { pgpKey } from './pgp-keys.ts'

export const operatorGenerateRoot: Command = {
  name: 'operator generate-root',
  summary: 'A new root token, made by those who hold the unseal keys',
  args: '[options] [KEY]',
  about:
    'Begun with -init, which prints a one-time password; then each holder of a key enters it; the last answer has the ' +
    'encoded token, which -decode turns into the token. Without KEY it is asked for, hidden; - reads it from stdin.',
  examples: [
    { says: 'Begin', run: 'operator generate-root -init' },
    { says: 'Enter a key', run: 'operator generate-root' },
    { says: 'Or to one holder of a PGP key', run: 'operator generate-root -init -pgp-key=me.asc' },
    { says: 'The token', run: 'operator generate-root -decode=… -otp=…' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    init: { kind: 'bool', about: 'Begin.' },
    cancel: { kind: 'bool', about: 'Forget the keys entered so far.' },
    status: { kind: 'bool', about: 'How far it is.' },
    decode: { kind: 'text', about: 'The encoded token; - reads it from stdin.' },
    'generate-otp': { kind: 'bool', about: 'Print a one-time password for -init.' },
    otp: { kind: 'text', about: 'The one-time password, for -init or -decode.' },
    'pgp-key': { kind: 'text', about: 'File with the PGP public key that the token is encrypted to.' },
    nonce: { kind: 'text', about: 'The nonce that -init printed.' },
  },
  takes: { min: 0, max: 1 },
  run: (call) => {
    const { flags } = call
    if (flags.on('generate-otp')) return generateOtp(call)
    if (flags.has('decode')) return decode(call)
    if (flags.on('cancel')) return cancel(call)
    if (flags.on('init')) return begin(call)
    if (flags.on('status')) return show(call)
    return provide(call)
  },
}

const attempt = 'sys/generate-root/attempt'

const ask = async (call: CommandCall, method: 'GET' | 'PUT' | 'DELETE', path: string, body?: JsonObject) =>
  documentOf(
    (await call.session.client().request({ method, path, ...(body ? { body } : {}), signal: call.context.signal }))
      .document,
  )

const getStatus = (call: CommandCall) => failing('Error getting root generation status', ask(call, 'GET', attempt))

async function generateOtp(call: CommandCall): Promise<number> {
  const length = Number((await getStatus(call))['otp_length'] ?? 28)
  const otp = base62(systemRandom, length)
  if (call.session.format() === 'table') printRaw(call, otp)
  else printDocument(call, { otp, otp_length: length })
  return 0
}

async function decode(call: CommandCall): Promise<number> {
  const given = call.flags.text('decode') ?? ''
  const encoded = (given === '-' ? await readAll(call.context.stdin) : given).trim()
  const otp = call.flags.text('otp')
  if (encoded === '') throw new Failure(1, 'Missing encoded value: use -decode=<string> to supply it')
  if (!otp) throw new Failure(1, 'Missing otp: use -otp to supply it')
  const bytes = Buffer.from(encoded, 'base64')
  const password = Buffer.from(otp)
  if (bytes.length !== password.length) {
    throw new Failure(1, 'Error decoding root token: the encoded token and the otp are not of the same length')
  }
  const token = Buffer.from(bytes.map((byte, i) => byte ^ (password[i] ?? 0))).toString('utf8')
  if (call.session.format() === 'table') printRaw(call, token)
  else printDocument(call, { token })
  return 0
}

async function begin(call: CommandCall): Promise<number> {
  const otp = call.flags.text('otp') ?? ''
  const key = await pgpKey(call.flags.text('pgp-key'))
  if (otp !== '' && key !== undefined) throw new Failure(1, 'Error initializing: cannot specify both -otp and -pgp-key')
  const body = { otp, pgp_key: key ?? '' }
  return printStatus(call, await failing('Error initializing root generation', ask(call, 'PUT', attempt, body)))
}

async function cancel(call: CommandCall): Promise<number> {
  await failing('Error canceling root token generation', ask(call, 'DELETE', attempt))
  line(call, 'Success! Root token generation canceled (if it was started)')
  return 0
}

async function show(call: CommandCall): Promise<number> {
  return printStatus(call, await getStatus(call))
}

async function provide(call: CommandCall): Promise<number> {
  const status = await getStatus(call)
  if (status['started'] !== true) {
    throw new Failure(
      1,
      `No root generation is in progress. Start a root generation by running "${call.context.name} operator generate-root -init".`,
    )
  }
  const given = call.flags.text('nonce')
  if (given === undefined && call.args[0] === '-') throw new Failure(1, 'Key from stdin: give the nonce with -nonce')
  const nonce = given ?? text(status['nonce'])
  if (given === undefined) warn(call, `Operation nonce: ${nonce}`)
  const key = await keyShare(call, 'Unseal Key (will be hidden): ')
  const asked = ask(call, 'PUT', 'sys/generate-root/update', { key, nonce })
  return printStatus(call, await failing('Error posting unseal key', asked))
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
    ['Progress', `${show(status['progress'])}/${show(status['required'])}`],
    ['Complete', show(status['complete'])],
  ]
  if (status['pgp_fingerprint']) rows.push(['PGP Fingerprint', show(status['pgp_fingerprint'])])
  if (status['encoded_token']) rows.push(['Encoded Token', show(status['encoded_token'])])
  if (status['otp']) {
    warn(
      call,
      'A One-Time-Password has been generated for you and is shown in the OTP field. You will need this value to decode\n' +
        'the resulting root token, so keep it safe.',
    )
    rows.push(['OTP', show(status['otp'])])
  }
  if (status['otp_length']) rows.push(['OTP Length', show(status['otp_length'])])
  line(call, columnsOf(rows))
  return 0
}
