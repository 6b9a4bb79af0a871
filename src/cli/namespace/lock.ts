import { type Command, failing } from '../command.ts'
import { line, printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

const pathOf = (args: readonly string[]) => {
  const path = (args[0] ?? '').replace(/^\/+|\/+$/g, '')
  return path === '' ? '' : `/${path}`
}

export const namespaceLock: Command = {
  name: 'namespace lock',
  summary: 'Keep all requests out of a namespace',
  args: '[options] [PATH]',
  about: 'Prints the key that unlocks: keep it. Without PATH it is the namespace that -namespace names.',
  examples: [{ says: 'While something is looked into', run: 'namespace lock team' }],
  flags: { ...connectionFlags, ...formatFlag, ...fieldFlag },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const client = call.session.client()
    const locked = client.write(`sys/namespaces/api-lock/lock${pathOf(call.args)}`, {}, call.session.callOptions())
    const answer = await failing('Error locking namespace', locked)
    return answer ? printAnswer(call, answer) : 0
  },
}

export const namespaceUnlock: Command = {
  name: 'namespace unlock',
  summary: 'Let requests into a namespace again',
  args: '[options] [PATH]',
  examples: [{ says: 'With the key that lock printed', run: 'namespace unlock -unlock-key=4mF9 team' }],
  flags: {
    ...connectionFlags,
    'unlock-key': { kind: 'text', about: 'What lock printed; a root token may leave it out.' },
  },
  takes: { min: 0, max: 1 },
  run: async (call) => {
    const key = call.flags.text('unlock-key')
    const client = call.session.client()
    const path = `sys/namespaces/api-lock/unlock${pathOf(call.args)}`
    await failing(
      'Error unlocking namespace',
      client.write(path, key === undefined ? {} : { unlock_key: key }, call.session.callOptions()),
    )
    line(call, 'Success! The namespace is unlocked')
    return 0
  },
}
