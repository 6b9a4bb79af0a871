import { setting } from '../../lib/setting.ts'
import type { AuthInfo, Envelope } from '../../sdk/envelope.ts'
import { loginKubernetes } from '../../sdk/login/kubernetes.ts'
import { loginToken } from '../../sdk/login/token.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { askHidden } from '../input/hidden-prompt.ts'
import { readKeyValues, readTextArgument } from '../input/key-values.ts'
import { line, printField, printSecret, warn } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'
import { writeTokenFile } from '../token-file.ts'

export const login: Command = {
  name: 'login',
  summary: 'Log in and keep the token',
  args: '[options] [TOKEN | KEY=VALUE...]',
  about:
    'Without arguments the token is asked for, hidden. It is kept in ~/.vault-token (VAULT_TOKEN_PATH), mode 0600. ' +
    'Methods: token (default), kubernetes.',
  examples: [
    { says: 'With a token, asked for', run: 'login' },
    { says: 'With a token from stdin', run: 'login -' },
    {
      says: "As a pod's service account",
      run: 'login -method=kubernetes role=app jwt=@/var/run/secrets/kubernetes.io/serviceaccount/token',
    },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    method: { kind: 'text', about: 'token (default) or kubernetes.' },
    path: { kind: 'text', about: "Where the method is mounted, if not at its own name: '-path=k8s'." },
    'no-store': { kind: 'bool', about: 'Do not keep the token.' },
    'no-print': { kind: 'bool', about: 'Do not print the token.' },
    'token-only': { kind: 'bool', about: 'Print only the token, keep nothing.' },
  },
  takes: { min: 0 },
  run: async (call) => {
    const auth = await authenticate(call)
    const tokenOnly = call.flags.on('token-only')
    const store = !tokenOnly && !call.flags.on('no-store')
    if (store) writeTokenFile(call.context.env, auth.client_token)
    if (call.flags.on('no-print')) return 0
    const answer = envelopeOf(auth)
    if (tokenOnly) return printField(call, answer, 'token')
    const field = call.flags.text('field')
    if (field !== undefined) return printField(call, answer, field)
    if (call.session.format() === 'table') explain(call, store)
    printSecret(call, answer)
    return 0
  },
}

function authenticate(call: CommandCall): Promise<AuthInfo> {
  const method = call.flags.text('method') ?? 'token'
  if (method === 'token') return withToken(call)
  if (method === 'kubernetes') return asServiceAccount(call)
  throw new Failure(
    1,
    `Unknown auth method: ${method}. This command knows token and kubernetes; others can be used by "${call.context.name} write auth/<path>/login ..."`,
  )
}

async function withToken(call: CommandCall): Promise<AuthInfo> {
  const typed = await typedToken(call)
  const token = typed.trim()
  if (token === '') throw new Failure(1, 'A token must be supplied')
  // Asked about with the token itself, whatever the environment says.
  const client = call.session.client({ token })
  return failing('Error authenticating: error looking up token', loginToken(client, token, call.context.signal))
}

async function typedToken(call: CommandCall): Promise<string> {
  const { args, context } = call
  if (args.length > 1) throw new Failure(1, `Too many arguments (expected 0-1, got ${args.length})`)
  const [arg] = args
  if (arg === undefined) return askHidden(context, 'Token (will be hidden): ', 'give "-" and the token on stdin')
  return readTextArgument(arg.startsWith('token=') ? arg.slice('token='.length) : arg, context.stdin)
}

async function asServiceAccount(call: CommandCall): Promise<AuthInfo> {
  const data = await readKeyValues(call.args, call.context.stdin)
  const { role, jwt } = data
  if (typeof role !== 'string' || typeof jwt !== 'string') {
    throw new Failure(1, 'login -method=kubernetes needs role=<name> and jwt=@<file> (or jwt=- for stdin)')
  }
  const mountPath = `auth/${(call.flags.text('path') ?? 'kubernetes').replace(/^auth\/|\/+$/g, '')}`
  const client = call.session.client({ token: '' })
  return failing('Error authenticating', loginKubernetes(client, { mountPath, role, jwt, signal: call.context.signal }))
}

function explain(call: CommandCall, stored: boolean): void {
  const { name, env } = call.context
  const inEnvironment = setting(env, 'TOKEN')
  if (stored && inEnvironment) {
    warn(
      call,
      `WARNING! The ${inEnvironment.from} environment variable is set! It takes precedence over the token that was just\nkept. Unset it, or give it this token.\n`,
    )
  }
  line(
    call,
    stored
      ? `Success! You are now authenticated. The token below is kept in the token helper: you do NOT need to run\n"${name} login" again.\n`
      : 'Success! You are now authenticated. The token was NOT kept: set VAULT_TOKEN, or give it with each request.\n',
  )
}

function envelopeOf(auth: AuthInfo): Envelope {
  return {
    request_id: '',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth,
    document: { auth: { ...auth } },
  }
}
