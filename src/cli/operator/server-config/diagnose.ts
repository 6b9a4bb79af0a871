import { type Command, Failure } from '../../command.ts'
import { line } from '../../output/secret.ts'
import { configFlag, printFinding, serverOf } from './findings.ts'

const parts = ['listener', 'storage', 'autounseal']

export const operatorDiagnose: Command = {
  name: 'operator diagnose',
  summary: 'Find out why a server would not start here',
  args: '-config=PATH [options]',
  about:
    'Tries what a start needs: the files, the storage (a row is written, read and removed), the seal, audit devices, certificates, ' +
    'ports. Run it as the user and with the environment of the server. Exit status: 0 well, 2 with warnings, 1 not, 3 wrong use.',
  examples: [
    { says: 'Before the first start', run: 'operator diagnose -config=/etc/coffer/coffer.hcl' },
    { says: 'While the server runs', run: 'operator diagnose -config=/etc/coffer/coffer.hcl -skip=listener' },
  ],
  flags: {
    ...configFlag,
    skip: { kind: 'list', about: `What is not tried: ${parts.join(', ')}; may be repeated.` },
  },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const { configs, server } = await serverOf(call)
    const skip = call.flags.list('skip').flatMap((list) => list.split(','))
    const unknown = skip.find((part) => !parts.includes(part))
    if (unknown !== undefined) throw new Failure(3, `-skip=${unknown}: accepted are ${parts.join(', ')}`)
    if (call.flags.text('format') !== 'json') line(call, `Coffer v${call.context.version}\n\nResults:`)
    return printFinding(call, await server.diagnose(configs, { skip, signal: call.context.signal }))
  },
}
