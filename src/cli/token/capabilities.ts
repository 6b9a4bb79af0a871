import { texts } from '../../sdk/envelope.ts'
import { type Command, Failure, failing } from '../command.ts'
import { readTextArgument } from '../input/key-values.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const tokenCapabilities: Command = {
  name: 'token capabilities',
  summary: 'Show what a token may do at a path',
  args: '[options] [TOKEN | ACCESSOR] PATH',
  about: 'Without a token: the one in use. - reads it from stdin.',
  examples: [{ says: 'May I read it?', run: 'token capabilities secret/data/my-app/config' }],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    accessor: { kind: 'bool', about: 'The first argument is an accessor.' },
  },
  takes: { min: 1, max: 2 },
  run: async (call) => {
    const { args, session, context } = call
    const path = args.at(-1) ?? ''
    const byAccessor = call.flags.on('accessor')
    if (byAccessor && args.length < 2) throw new Failure(1, `Not enough arguments (expected 2, got ${args.length})`)
    const subject = args.length === 2 ? (await readTextArgument(args[0] ?? '', context.stdin)).trim() : undefined
    const client = session.client()
    const asked =
      subject === undefined
        ? client.write('sys/capabilities-self', { path }, session.callOptions())
        : byAccessor
          ? client.write('sys/capabilities-accessor', { accessor: subject, path }, session.callOptions())
          : client.write('sys/capabilities', { token: subject, path }, session.callOptions())
    const data = (await failing('Error listing capabilities', asked))?.data
    const capabilities = [...texts(data?.[path] ?? data?.['capabilities'])].sort()
    if (session.format() === 'table') line(call, capabilities.join(', '))
    else printDocument(call, capabilities)
    return 0
  },
}
