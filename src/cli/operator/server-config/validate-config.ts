import type { Command } from '../../command.ts'
import { configFlag, printFinding, serverOf } from './findings.ts'

export const operatorValidateConfig: Command = {
  name: 'operator validate-config',
  summary: 'Check the text of a server configuration',
  args: '-config=PATH [options]',
  about:
    'Unknown settings, wrong kinds of values, what has no effect here. Nothing that the files name is looked at, so it runs anywhere: ' +
    '"operator diagnose" looks. Exit status: 0 well, 2 with warnings, 1 not, 3 wrong use.',
  examples: [{ says: 'In a pull request', run: 'operator validate-config -config=coffer.hcl' }],
  flags: configFlag,
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const { configs, server } = await serverOf(call)
    return printFinding(call, await server.validate(configs))
  },
}
