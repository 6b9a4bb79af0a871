import { readFileSync } from 'node:fs'
import { parseJson } from '../../lib/json/parse.ts'
import type { Json } from '../../lib/json/value.ts'
import { isObject } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { jsonText, yamlText } from '../output/documents.ts'
import { line } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import type { RecordedHead, VerifyJob, VerifyProblem, VerifyResult } from './local-audit.ts'
import { localAuditOf, progressOf, unreadable } from './progress.ts'

export const auditVerify: Command = {
  name: 'audit verify',
  summary: 'Prove that audit files are complete and unaltered',
  args: '[options] FILE...',
  about:
    'Give all files of one device, rotated and compressed ones too. The server is asked for its record of the chains, unless -evidence or -public-key says what to trust. Exit status: 0 intact, 1 wrong use or unreadable, 2 the server said no, 3 altered or incomplete, or nothing proven.',
  examples: [
    { says: 'With the record of the server', run: 'audit verify /var/log/coffer/audit.log*' },
    { says: 'Without the server, by the signed checkpoints', run: 'audit verify -public-key=ed25519:… audit.log' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    evidence: { kind: 'text', about: 'File with the answer of sys/coffer/audit/evidence (JSON) instead of asking.' },
    'public-key': { kind: 'text', about: 'Key of the checkpoints ("ed25519:…", or a file with it).' },
    device: { kind: 'text', about: 'Path of the device; default: what the files say.' },
    partial: { kind: 'bool', about: 'Files older than the first one given may be missing.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const { context, flags } = call
    const evidence = await evidenceOf(call)
    const local = await localAuditOf(context)
    const device = flags.text('device')
    const job = {
      ...evidence,
      files: call.args,
      partial: flags.on('partial'),
      progress: progressOf(context, 'verifying'),
      ...(device === undefined ? {} : { device: `${device.replace(/^\/+|\/+$/g, '')}/` }),
    }
    const found = await local.verify(job).catch((error: unknown) => {
      throw unreadable(error)
    })
    // No lines are nothing amiss only for whoever knows of every chain that there should be.
    const complete = found.lines === 0 && evidence.heads !== undefined
    const proven = complete || evidence.key !== undefined || found.checkpoints > 0
    print(call, found, evidence, proven)
    return found.intact && proven ? 0 : 3
  },
}

type Trusted = Pick<VerifyJob, 'key' | 'publicKey' | 'heads'>

async function evidenceOf(call: CommandCall): Promise<Trusted> {
  const { flags, session } = call
  const given = flags.text('public-key')
  const publicKey = given === undefined ? undefined : keyText(given)
  const file = flags.text('evidence')
  if (file === undefined && publicKey !== undefined) return { publicKey }
  const data =
    file === undefined
      ? (await failing('Error reading the evidence of the server', session.read('sys/coffer/audit/evidence')))?.data
      : readEvidence(file)
  if (!isObject(data) || !Array.isArray(data['chains'])) throw new Failure(1, 'this is no evidence: it names no chains')
  const own = String(data['public_key'] ?? '')
  if (own === '' && data['chains'].length === 0)
    throw new Failure(1, 'the server has never audited: it knows of no chains')
  const key = Buffer.from(String(data['chain_key'] ?? ''), 'base64')
  return { publicKey: publicKey ?? own, heads: data['chains'].map(headOf), ...(key.length > 0 ? { key } : {}) }
}

function headOf(value: Json): RecordedHead {
  if (!isObject(value)) throw new Failure(1, 'this is no evidence: a chain is no object')
  const { chain, seq, mac, device, recorded, closed } = value
  return {
    chain: String(chain),
    seq: Number(seq),
    mac: String(mac),
    device: String(device),
    time: String(recorded),
    closed: closed === true,
  }
}

/** The answer as it was printed, or its member `data` alone. */
function readEvidence(file: string): Json | undefined {
  try {
    const answer = parseJson(readFileSync(file))
    return isObject(answer) && isObject(answer['data']) ? answer['data'] : answer
  } catch (cause) {
    throw new Failure(1, `the evidence in ${file} cannot be read`, { cause })
  }
}

function keyText(given: string): string {
  if (given.startsWith('ed25519:')) return given
  try {
    return readFileSync(given, 'utf8').trim()
  } catch (cause) {
    throw new Failure(1, `-public-key is neither a key ("ed25519:…") nor a file that can be read`, { cause })
  }
}

function print(call: CommandCall, found: VerifyResult, { key, heads }: Trusted, proven: boolean): void {
  const format = call.session.format()
  if (format !== 'table') {
    const document = {
      intact: found.intact && proven,
      lines: found.lines,
      chains: found.chains,
      checkpoints: found.checkpoints,
      unproven_tail: found.unprovenTail,
      more_problems: found.more,
      problems: found.problems.map((problem) => ({ ...problem })),
    }
    line(call, format === 'json' ? jsonText(document) : yamlText(document))
    return
  }
  for (const problem of found.problems) line(call, problemText(problem))
  if (found.more > 0) line(call, `… and ${found.more} more`)
  if (found.problems.length > 0) line(call, '')
  line(call, `${found.lines} lines of ${found.chains} chains, ${found.checkpoints} signed checkpoints.`)
  if (found.unprovenTail > 0) {
    line(
      call,
      `Nothing vouches for the end of the last ${found.unprovenTail} lines yet: such lines could be changed or cut off unnoticed.`,
    )
  }
  if (!heads) line(call, 'The server was not asked: lines and chains after the last checkpoint would not be missed.')
  if (!key) line(call, 'Without the chain key an altered line is found by checkpoints: they say between which lines.')
  if (!proven) line(call, 'NOTHING PROVEN: the files hold no signed checkpoint, and the chain key was not given.')
  else line(call, found.intact ? 'Intact.' : 'NOT INTACT.')
}

function problemText({ kind, chain, seq, file, line: number, time, text }: VerifyProblem): string {
  const where = file === undefined ? '' : `${file}:${number} `
  const when = time === undefined ? '' : `${time} `
  const which = chain === undefined ? '' : ` (chain ${chain}${seq === undefined ? '' : `, line ${seq}`})`
  return `${where}${when}${kind}: ${text}${which}`
}
