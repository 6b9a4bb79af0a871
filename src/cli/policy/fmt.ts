import { readFileSync, writeFileSync } from 'node:fs'
import type { Command } from '../command.ts'
import { line } from '../output/secret.ts'
import { locally, localPolicyOf } from './local-policy.ts'

export const policyFmt: Command = {
  name: 'policy fmt',
  summary: 'Lay a policy file out',
  args: 'FILE',
  about: 'Rewrites the file: two spaces, one item a line, "=" in columns. Comments and meaning stay.',
  examples: [{ says: 'In place', run: 'policy fmt my-app.hcl' }],
  flags: {},
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const [file = ''] = call.args
    const local = await localPolicyOf(call.context)
    const text = locally('Error reading source file', () => readFileSync(file, 'utf8'))
    const formatted = locally('Error parsing policy', () => local.format(text))
    if (formatted !== text) locally('Error writing file', () => writeFileSync(file, formatted))
    line(call, `Success! Formatted policy: ${file}`)
    return 0
  },
}
