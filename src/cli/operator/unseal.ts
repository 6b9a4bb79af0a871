import { type Command, failing } from '../command.ts'
import { documentOf, printSealStatus } from '../output/seal-status.ts'
import { connectionFlags, formatFlag } from '../session.ts'
import { keyShare } from './key-share.ts'

export const operatorUnseal: Command = {
  name: 'operator unseal',
  summary: 'Enter one unseal key',
  args: '[options] [KEY]',
  about: 'Without KEY it is asked for, hidden; - reads it from stdin. Repeat until the threshold is reached.',
  examples: [
    { says: 'Asked for, not shown', run: 'operator unseal' },
    { says: 'From a file', run: 'operator unseal - < unseal-key' },
    { says: 'Forget the keys entered so far', run: 'operator unseal -reset' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    reset: { kind: 'bool', about: 'Forget the keys entered so far.' },
    migrate: { kind: 'bool', about: 'Go on with a seal migration.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const reset = call.flags.on('reset')
    const body = reset
      ? { reset: true }
      : { key: await keyShare(call, 'Unseal Key (will be hidden): '), migrate: call.flags.on('migrate') }
    const client = call.session.client({ token: '' })
    const asked = client.request({ method: 'PUT', path: 'sys/unseal', body, signal: call.context.signal })
    const answer = await failing('Error unsealing', asked)
    printSealStatus(call, documentOf(answer.document))
    return 0
  },
}
