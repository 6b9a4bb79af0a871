import { type Command, failing } from '../command.ts'
import { line, printWarnings } from '../output/secret.ts'
import { connectionFlags } from '../session.ts'

export const kvEnableVersioning: Command = {
  name: 'kv enable-versioning',
  summary: 'Turn a version 1 engine into version 2; there is no way back',
  args: '[options] MOUNT',
  about:
    'What each key says becomes its version 1. Clients then use the paths of version 2: data/, metadata/ and so on.',
  examples: [{ says: 'The engine at secret/', run: 'kv enable-versioning secret' }],
  flags: { ...connectionFlags },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const mount = (call.args[0] ?? '').trim().replace(/^\/+|\/+$/g, '')
    const tuned = call.session
      .client()
      .write(`sys/mounts/${mount}/tune`, { options: { version: '2' } }, call.session.callOptions())
    const answer = await failing(`Error tuning secrets engine ${mount}/`, tuned)
    if (answer) printWarnings(call, answer)
    line(call, `Success! Tuned the secrets engine at: ${mount}/`)
    return 0
  },
}
