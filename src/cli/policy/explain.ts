import type { Json, JsonObject } from '../../lib/json/value.ts'
import { isObject, text, texts } from '../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const policyExplain: Command = {
  name: 'policy explain',
  summary: 'Say why policy allows or denies a request',
  args: '[options] OPERATION PATH [K=V...]',
  about:
    'Names the rule that decides, what it lacks, what else matched, and the smallest rule that would allow the request. For those who may read the policies in question. OPERATION: create, read, update, patch, delete, list, scan. Without options the question is about the token that asks.',
  examples: [
    { says: 'Why may I not?', run: 'policy explain read secret/data/my-app' },
    { says: 'With these policies', run: 'policy explain -policy=my-app update secret/data/my-app' },
    { says: 'A request that was denied', run: 'policy explain -request-id=6f9b4c0e-…' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    accessor: { kind: 'text', about: 'As the token of this accessor.' },
    policy: { kind: 'list', about: 'As a token with this policy; may be repeated.' },
    'entity-id': { kind: 'text', about: 'As this entity; with -policy: together.' },
    'request-id': { kind: 'text', about: 'The request that was denied under this id; K=V are its parameters.' },
    'with-wrap-ttl': { kind: 'duration', about: 'As if the answer were to be wrapped for this long.' },
  },
  takes: { min: 0 },
  run: async (call) => {
    const input = await inputOf(call)
    const client = call.session.client()
    const answer = await failing(
      'Error explaining',
      client.write('sys/coffer/explain', input, call.session.callOptions()),
    )
    const data = answer?.data
    if (!data) throw new Failure(2, 'the server did not explain')
    if (call.session.format() === 'table') print(call, data)
    else printDocument(call, data)
    return 0
  },
}

async function inputOf({ args, flags, context }: CommandCall): Promise<JsonObject> {
  const requestId = flags.text('request-id')
  const [operation, path, ...pairs] = requestId === undefined ? args : ['', '', ...args]
  if (operation === undefined || path === undefined) {
    throw new Failure(1, 'Not enough arguments (expected OPERATION and PATH, or -request-id)')
  }
  const data = pairs.length > 0 ? await readKeyValues(pairs, context.stdin) : undefined
  return {
    ...(requestId === undefined ? { operation, path } : { request_id: requestId }),
    ...(flags.has('accessor') && { accessor: flags.text('accessor') }),
    ...(flags.has('policy') && { policies: flags.list('policy') }),
    ...(flags.has('entity-id') && { entity_id: flags.text('entity-id') }),
    ...(flags.has('with-wrap-ttl') && { wrap_ttl: flags.text('with-wrap-ttl') }),
    ...(data && { data }),
  }
}

const list = (value: Json | undefined): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : [])
const names = (value: Json | undefined) => texts(value).join(', ')

function print(call: CommandCall, data: JsonObject): void {
  const say = (words: string) => line(call, words)
  say(`${data['allowed'] === true ? 'Allowed' : 'Denied'}: ${text(data['operation'])} ${text(data['path'])}`)
  say(`\n${text(data['reason'])}`)
  say(`\nPolicies: ${names(data['policies'])}`)
  if (names(data['absent_policies']) !== '') say(`Not there: ${names(data['absent_policies'])}`)
  for (const rule of list(data['other_rules'])) {
    say(`Also matches, but ${text(rule['lost_because'])}: "${text(rule['path'])}" [${names(rule['capabilities'])}]`)
  }
  for (const rule of list(data['dropped_rules'])) {
    say(`Left out, because ${text(rule['because'])}: "${text(rule['path'])}" (${text(rule['policy'])})`)
  }
  if (data['allow_with'] !== undefined)
    say(`\nThe smallest rule that would allow it:\n\n${text(data['allow_with']).trimEnd()}`)
  const instead = data['change_request'] ?? data['change_policy']
  if (instead !== undefined) say(`\nTo allow it: ${text(instead)}`)
}
