import { type Command, failing } from '../command.ts'
import { documentOf, printSealStatus } from '../output/seal-status.ts'
import { connectionFlags, formatFlag } from '../session.ts'

export const status: Command = {
  name: 'status',
  summary: 'Show whether the server is sealed',
  args: '[options]',
  about: 'Exit status: 0 unsealed, 2 sealed, 1 when it could not be asked.',
  examples: [{ says: 'Is the server ready?', run: 'status' }],
  flags: { ...connectionFlags, ...formatFlag },
  takes: { min: 0, max: 0 },
  run: async (call) => {
    const client = call.session.client({ token: '' })
    const { signal } = call.context
    const seal = await failing(
      'Error checking seal status',
      client.request({ method: 'GET', path: 'sys/seal-status', signal }),
    ).catch((error: Error) => error)
    if (seal instanceof Error) {
      call.context.stderr.write(`${seal.message}\n`)
      return 1
    }
    const body = documentOf(seal.document)
    // A sealed server may refuse to name a leader; the seal status is the answer all the same.
    const leader =
      body['sealed'] === true
        ? undefined
        : await client.request({ method: 'GET', path: 'sys/leader', signal }).catch(() => undefined)
    return printSealStatus(call, body, documentOf(leader?.document))
  },
}
