import { readFileSync } from 'node:fs'
import { type Command, Failure, failing } from '../command.ts'
import { readAll } from '../input/stream-text.ts'
import { line } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const policyWrite: Command = {
  name: 'policy write',
  summary: 'Upload a policy from a file',
  args: '[options] NAME FILE',
  about: 'FILE may be - for stdin.',
  examples: [
    { says: 'From a file', run: 'policy write my-app my-app.hcl' },
    { says: 'From stdin', run: 'policy write my-app - < my-app.hcl' },
  ],
  flags: connectionFlags,
  takes: { min: 2, max: 2 },
  run: async (call) => {
    const [typed = '', file = ''] = call.args
    const name = typed.trim().toLowerCase()
    const policy = file === '-' ? await readAll(call.context.stdin) : readPolicy(file)
    const client = call.session.client()
    const written = client.write(`sys/policies/acl/${name}`, { policy }, call.session.callOptions())
    await failing('Error uploading policy', written)
    line(call, `Success! Uploaded policy: ${name}`)
    return 0
  },
}

function readPolicy(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Failure(2, `Error opening policy file: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}
