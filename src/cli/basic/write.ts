import { type Command, Failure } from '../command.ts'
import { readKeyValues } from '../input/key-values.ts'
import { changed } from '../output/response.ts'
import { line, printAnswer } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'

export const write: Command = {
  name: 'write',
  summary: 'Write data, configuration, or call an endpoint',
  args: '[options] PATH [KEY=VALUE...]',
  about:
    'A value that begins with @ is read from that file, the value - from stdin; a lone - or @file is a whole JSON object. ' +
    'Others on this machine can see the arguments of a process: give secrets by - or @file.',
  examples: [
    { says: 'A role of the Kubernetes auth method', run: 'write auth/kubernetes/role/app @role.json' },
    {
      says: 'A value from a file',
      run: 'write auth/kubernetes/config kubernetes_host=https://10.0.0.1 kubernetes_ca_cert=@ca.crt',
    },
    { says: 'Without data', run: 'write -f sys/rotate' },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    force: { kind: 'bool', alias: 'f', about: 'Go on without data.' },
  },
  takes: { min: 1 },
  run: async (call) => {
    const [path = '', ...pairs] = call.args
    if (pairs.length === 0 && !call.flags.on('force')) throw new Failure(1, 'Must supply data or use -force')
    const data = await readKeyValues(pairs, call.context.stdin)
    const client = call.session.client()
    // As Vault's does: this endpoint is of no use without a life for what it makes.
    const options = call.session.callOptions(/^\/*sys\/wrapping\/wrap$/.test(path) ? { wrapTtl: '5m' } : {})
    const asked = client.request({ ...options, method: 'PUT', path, body: data })
    const answer = await changed(call, `Error writing data to ${path}`, asked)
    if (answer) return printAnswer(call, answer)
    if (call.session.format() === 'table' && !call.flags.has('field')) line(call, `Success! Data written to: ${path}`)
    return 0
  },
}
