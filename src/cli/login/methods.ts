import type { AuthInfo } from '../../sdk/envelope.ts'
import { loginKubernetes } from '../../sdk/login/kubernetes.ts'
import { loginPassword } from '../../sdk/login/password.ts'
import { loginToken } from '../../sdk/login/token.ts'
import { type CommandCall, Failure } from '../command.ts'
import { askHidden } from '../input/hidden-prompt.ts'
import { readKeyValues, readTextArgument } from '../input/key-values.ts'

type Login = (call: CommandCall, method: string) => Promise<AuthInfo>

/** How each method logs in from the words of the command line. */
const methods: ReadonlyMap<string, Login> = new Map<string, Login>([
  ['token', withToken],
  ['kubernetes', asServiceAccount],
  ['userpass', withPassword],
  ['ldap', withPassword],
  ['radius', withPassword],
  ['okta', withPassword],
])

export const methodNames: readonly string[] = [...methods.keys()]

/** Errors: as the server's client throws them; Failure 1 for wrong use; LoginIncomplete. */
export function authenticate(call: CommandCall): Promise<AuthInfo> {
  const method = call.flags.text('method') ?? 'token'
  const login = methods.get(method)
  if (login) return login(call, method)
  throw new Failure(
    1,
    `Unknown auth method: ${method}. This command knows ${methodNames.join(', ')}; others can be used by "${call.context.name} write auth/<path>/login ..."`,
  )
}

async function withToken(call: CommandCall): Promise<AuthInfo> {
  if (call.flags.has('wrap-ttl')) throw new Failure(1, '-wrap-ttl is of no use with a token that is there already')
  const typed = await typedToken(call)
  const token = typed.trim()
  if (token === '') throw new Failure(1, 'A token must be supplied')
  // Asked about with the token itself, whatever the environment says.
  const client = call.session.client({ token })
  return loginToken(client, token, call.context.signal)
}

async function typedToken(call: CommandCall): Promise<string> {
  const { args, context } = call
  if (args.length > 1) throw new Failure(1, `Too many arguments (expected 0-1, got ${args.length})`)
  const [arg] = args
  if (arg === undefined) return askHidden(context, 'Token (will be hidden): ', 'give "-" and the token on stdin')
  return readTextArgument(arg.startsWith('token=') ? arg.slice('token='.length) : arg, context.stdin)
}

async function asServiceAccount(call: CommandCall): Promise<AuthInfo> {
  const { role, jwt } = await readKeyValues(call.args, call.context.stdin)
  if (typeof role !== 'string' || typeof jwt !== 'string') {
    throw new Failure(1, 'login -method=kubernetes needs role=<name> and jwt=@<file> (or jwt=- for stdin)')
  }
  const client = call.session.client({ token: '' })
  return loginKubernetes(client, { mountPath: mountPath(call, 'kubernetes'), role, jwt, ...call.session.callOptions() })
}

async function withPassword(call: CommandCall, method: string): Promise<AuthInfo> {
  const { username, password: given } = await readKeyValues(call.args, call.context.stdin)
  if (typeof username !== 'string' || username === '') throw new Failure(1, "'username' must be specified")
  if (given !== undefined && typeof given !== 'string') throw new Failure(1, 'one password, please')
  const password = given ?? (await askHidden(call.context, 'Password (will be hidden): ', 'give password=- and stdin'))
  const client = call.session.client({ token: '' })
  const mount = mountPath(call, method)
  return loginPassword(client, { mountPath: mount, username, password, ...call.session.callOptions() })
}

const mountPath = (call: CommandCall, method: string) =>
  `auth/${(call.flags.text('path') ?? method).replace(/^\/*(?:auth\/)?|\/+$/g, '')}`
