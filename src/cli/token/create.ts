import type { JsonObject } from '../../lib/json/value.ts'
import { type Command, type CommandCall, failing } from '../command.ts'
import { printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const tokenCreate: Command = {
  name: 'token create',
  summary: 'Create a token',
  args: '[options]',
  about: 'A child of the token in use, with its policies unless others are named.',
  examples: [
    { says: 'One hour, one policy', run: 'token create -policy=my-app -ttl=1h' },
    { says: 'Only the token, for a script', run: 'token create -policy=my-app -field=token' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    id: { kind: 'text', about: 'This value instead of a random one (root only).' },
    policy: { kind: 'list', about: 'A policy; may be repeated.' },
    metadata: { kind: 'map', about: 'name=value, shown in the audit log; may be repeated.' },
    ttl: { kind: 'duration', about: 'First life.' },
    'explicit-max-ttl': { kind: 'duration', about: 'Longest life, renewals included.' },
    period: { kind: 'duration', about: 'Lives as long as it is renewed within this time.' },
    renewable: { kind: 'bool', about: 'Whether it can be renewed; default true.' },
    orphan: { kind: 'bool', about: 'No parent: survives it.' },
    'no-default-policy': { kind: 'bool', about: 'Without the policy "default".' },
    'use-limit': { kind: 'int', about: 'How often it can be used; 0: any number of times.' },
    'display-name': { kind: 'text', about: 'Name in the audit log.' },
    role: { kind: 'text', about: 'Create it by this token role.' },
    type: { kind: 'text', about: 'service or batch.' },
    'entity-alias': { kind: 'text', about: 'Alias to bind it to (with -role).' },
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const created = call.session.client().write(createPath(call), bodyOf(call), call.session.callOptions())
    const answer = await failing('Error creating token', created)
    return answer ? printAnswer(call, answer) : 0
  },
}

function createPath(call: CommandCall): string {
  const role = call.flags.text('role')
  if (role !== undefined) return `auth/token/create/${role}`
  return call.flags.on('orphan') ? 'auth/token/create-orphan' : 'auth/token/create'
}

function bodyOf(call: CommandCall): JsonObject {
  const { flags } = call
  const texts: [string, string | undefined][] = [
    ['id', flags.text('id')],
    ['ttl', flags.text('ttl')],
    ['explicit_max_ttl', flags.text('explicit-max-ttl')],
    ['period', flags.text('period')],
    ['display_name', flags.text('display-name')],
    ['type', flags.text('type')],
    ['entity_alias', flags.text('entity-alias')],
  ]
  return {
    ...Object.fromEntries(texts.filter(([, value]) => value !== undefined)),
    ...(flags.has('policy') && { policies: flags.list('policy') }),
    ...(flags.has('metadata') && { meta: flags.map('metadata') }),
    ...(flags.has('renewable') && { renewable: flags.on('renewable') }),
    ...(flags.on('no-default-policy') && { no_default_policy: true }),
    ...(flags.on('orphan') && { no_parent: true }),
    ...(flags.has('use-limit') && { num_uses: flags.int('use-limit') ?? 0 }),
  }
}
