import { once } from 'node:events'
import { parseVaultDuration } from '../../lib/duration.ts'
import { text } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { printable } from '../output/printable.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import type { QueryMatch, QueryTerms } from './local-audit.ts'
import { localAuditOf, progressOf, unreadable } from './progress.ts'

export const auditQuery: Command = {
  name: 'audit query',
  summary: 'Search audit files',
  args: '[options] FILE...',
  about:
    'Reads rotated and compressed files, in the order in which they were written. All conditions must fit. Lines of type response are shown unless -type says otherwise. As json: one line for each, as the file has it.',
  examples: [
    {
      says: 'Who read below a path in the last day',
      run: 'audit query -path=secret/data/app -operation=read -since=24h audit.log',
    },
    {
      says: 'What was revoked or removed since a snapshot was taken',
      run: 'audit query -revocations -since=2026-01-31T12:00:00Z /var/log/coffer/audit.log*',
    },
    { says: 'What a token did', run: 'audit query -hash=hvs.… /var/log/coffer/audit.log*' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    entity: { kind: 'text', about: 'Entity id.' },
    'display-name': { kind: 'text', about: 'Display name of the token.' },
    path: { kind: 'text', about: 'Prefix of the path; with * (anything) or + (one segment): a pattern of all of it.' },
    operation: { kind: 'text', about: 'read, list, create, update, patch, delete, …' },
    since: { kind: 'text', about: 'Not older: a time (RFC 3339) or how long ago (24h).' },
    until: { kind: 'text', about: 'Not newer: the same.' },
    'request-id': { kind: 'text', about: 'Id of the request.' },
    'client-address': { kind: 'text', about: 'Address of the client.' },
    'request-namespace': { kind: 'text', about: 'Path of the namespace, with its trailing slash.' },
    denied: { kind: 'bool', about: 'Only what was refused for lack of permission.' },
    revocations: {
      kind: 'bool',
      about: 'Only what was taken away: tokens, leases, mounts, policies, identities, users, roles, certificates.',
    },
    type: { kind: 'text', about: 'request, response or all. Default response.' },
    hash: {
      kind: 'list',
      about: 'A token or value, which the server hashes as the device does; or "hmac-sha256:…". May be repeated.',
    },
    device: { kind: 'text', about: 'Path of the device that hashes. Default file.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const terms = await termsOf(call)
    const local = await localAuditOf(call.context)
    const matches = local.query(call.args, terms, progressOf(call.context, 'searching'))
    try {
      await print(call, matches)
    } catch (error) {
      throw unreadable(error)
    }
    return 0
  },
}

async function termsOf(call: CommandCall): Promise<QueryTerms> {
  const { flags } = call
  const named = {
    entity: flags.text('entity'),
    displayName: flags.text('display-name'),
    path: flags.text('path'),
    operation: flags.text('operation'),
    since: timeOf(call, 'since'),
    until: timeOf(call, 'until'),
    requestId: flags.text('request-id'),
    clientAddress: flags.text('client-address'),
    namespace: flags.text('request-namespace'),
  }
  const given = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
  const hashes = await hashesOf(call)
  return {
    ...given,
    ...typeOf(flags.text('type') ?? 'response'),
    denied: flags.on('denied'),
    revocations: flags.on('revocations'),
    ...(hashes.length > 0 ? { hashes } : {}),
  }
}

function typeOf(given: string): Pick<QueryTerms, 'type'> {
  if (given === 'all') return {}
  if (given === 'request' || given === 'response') return { type: given }
  throw new Failure(1, `invalid value "${given}" for flag -type: want request, response or all`)
}

function timeOf({ flags, context }: CommandCall, name: 'since' | 'until'): number | undefined {
  const given = flags.text(name)
  if (given === undefined) return undefined
  const ago = parseVaultDuration(given)
  if (ago !== undefined && given !== '') return context.clock.now() - ago
  const at = /^\d{4}-\d\d-\d\d/.test(given) ? Date.parse(given) : Number.NaN
  if (Number.isNaN(at))
    throw new Failure(1, `invalid value "${given}" for flag -${name}: want 2026-01-31T12:00:00Z or 24h`)
  return at
}

/** The server knows the device's salt; what is searched for goes nowhere else. */
async function hashesOf({ flags, session }: CommandCall): Promise<string[]> {
  const device = (flags.text('device') ?? 'file').replace(/^\/+|\/+$/g, '')
  const hashes: string[] = []
  for (const value of flags.list('hash')) {
    if (/^hmac-sha256:[0-9a-f]{64}$/.test(value)) hashes.push(value)
    else {
      const asked = session.client().write(`sys/audit-hash/${device}`, { input: value }, session.callOptions())
      hashes.push(text((await failing('Error hashing the value', asked))?.data?.['hash']))
    }
  }
  return hashes
}

const widths = { time: 24, operation: 9, who: 32, client: 16 }

async function print(call: CommandCall, matches: AsyncIterable<QueryMatch>): Promise<void> {
  const { stdout } = call.context
  const asJson = call.session.format() !== 'table'
  const put = async (text: string) => {
    if (!stdout.write(`${text}\n`)) await once(stdout, 'drain')
  }
  let found = 0
  for await (const match of matches) {
    if (found === 0 && !asJson) await put(row('Time', 'Operation', 'Who', 'Client', 'Path'))
    found += 1
    await put(asJson ? match.text : rowOf(match))
  }
  if (found === 0 && !asJson) call.context.stderr.write('No line fits.\n')
}

function rowOf({ time, operation, displayName, entity, clientAddress, path, error, requestId }: QueryMatch): string {
  const who = [displayName, entity].filter((part) => part !== '').join(' ') || '-'
  const end = error === '' ? '' : `    ${error.replaceAll(/\s+/g, ' ').trim()}`
  return `${row(time, operation, who, clientAddress, path)}    ${requestId}${end}`
}

function row(time: string, operation: string, who: string, client: string, path: string): string {
  const cells = [
    time.padEnd(widths.time),
    operation.padEnd(widths.operation),
    who.padEnd(widths.who),
    client.padEnd(widths.client),
    path,
  ]
  return printable(cells.join('  '))
}
