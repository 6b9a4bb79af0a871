import { type Command, Failure, failing } from '../../command.ts'
import { printAnswer } from '../../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../../session.ts'
import { dataOf, readVersion } from '../current.ts'
import { apiPath, locate, mountFlag } from '../location.ts'
import { printDone } from '../written.ts'

export const kvRollback: Command = {
  name: 'kv rollback',
  summary: 'Write an earlier version anew as the latest',
  args: '[options] -version=N PATH',
  about: 'It fails when somebody writes the key in the meantime.',
  examples: [
    { says: 'What version 2 said becomes the latest', run: 'kv rollback -mount=secret -version=2 my-app/config' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    ...mountFlag,
    version: { kind: 'int', about: 'The version that is made current again.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const version = call.flags.int('version')
    if (version === undefined) throw new Failure(1, 'Version flag must be specified')
    if (version <= 0) throw new Failure(1, `Invalid value ${version} for the version flag`)
    const location = await failing('', locate(call, call.args[0] ?? ''))
    if (!location.versioned) throw new Failure(2, 'K/V engine mount must be version 2 for rollback support')
    const full = apiPath(location, 'data')
    const current = await readVersion(call, full, 'rollback')
    const wanted = await readVersion(call, full, 'rollback', version)
    const body = { data: dataOf(wanted, full, 'rollback'), options: { cas: current.metadata['version'] ?? 0 } }
    const written = call.session.client().write(full, body, call.session.callOptions())
    const answer = await failing(`Error writing data to ${full}`, written)
    return answer ? printAnswer(call, answer) : printDone(call, answer, `Success! Data written to: ${full}`)
  },
}
