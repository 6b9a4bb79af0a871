import { texts } from '../../sdk/envelope.ts'
import { type Command, failing } from '../command.ts'
import { readTextArgument } from '../input/key-values.ts'
import { line, printDocument } from '../output/secret.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const tokenCapabilities: Command = {
  name: 'token capabilities',
  summary: 'Show what a token may do at a path',
  args: '[options] [TOKEN] PATH',
  about: 'Without a token: the one in use. - reads it from stdin.',
  examples: [{ says: 'May I read it?', run: 'token capabilities secret/data/my-app/config' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 1, max: 2 },
  run: async (call) => {
    const { args, session, context } = call
    const path = args.at(-1) ?? ''
    const token = args.length === 2 ? (await readTextArgument(args[0] ?? '', context.stdin)).trim() : undefined
    const client = session.client()
    const asked =
      token === undefined
        ? client.write('sys/capabilities-self', { path }, session.callOptions())
        : client.write('sys/capabilities', { token, path }, session.callOptions())
    const data = (await failing('Error listing capabilities', asked))?.data
    const capabilities = [...texts(data?.[path] ?? data?.['capabilities'])].sort()
    if (session.format() === 'table') line(call, capabilities.join(', '))
    else printDocument(call, capabilities)
    return 0
  },
}
