import { setting } from '../../lib/setting.ts'
import type { AuthInfo, Envelope } from '../../sdk/envelope.ts'
import { LoginIncomplete } from '../../sdk/login/login.ts'
import { type Command, type CommandCall, Failure, failing } from '../command.ts'
import { line, printAnswer, printField, printSecret, warn } from '../output/secret.ts'
import { connectionFlags, fieldFlag, formatFlag } from '../session.ts'
import { authenticate, methodNames } from './methods.ts'
import { withSecondFactor } from './second-factor.ts'

export const login: Command = {
  name: 'login',
  summary: 'Log in and keep the token',
  args: '[options] [TOKEN | KEY=VALUE...]',
  about:
    'Without arguments the token is asked for, hidden. It is kept in ~/.vault-token (VAULT_TOKEN_PATH), mode 0600. ' +
    `Methods: ${methodNames.join(', ')}. What the server asks as a second factor is asked for here.`,
  examples: [
    { says: 'With a token, asked for', run: 'login' },
    { says: 'With a token from stdin', run: 'login -' },
    { says: 'By name and password, asked for', run: 'login -method=userpass username=ada' },
    {
      says: "As a pod's service account",
      run: 'login -method=kubernetes role=app jwt=@/var/run/secrets/kubernetes.io/serviceaccount/token',
    },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...fieldFlag,
    method: { kind: 'text', about: `${methodNames.join(', ')}; default token.` },
    path: { kind: 'text', about: "Where the method is mounted, if not at its own name: '-path=k8s'." },
    'no-store': { kind: 'bool', about: 'Do not keep the token.' },
    'no-print': { kind: 'bool', about: 'Do not print the token.' },
    'token-only': { kind: 'bool', about: 'Print only the token, keep nothing.' },
  },
  takes: { min: 0 },
  run: async (call) => {
    const tokenOnly = call.flags.on('token-only')
    const store = !tokenOnly && !call.flags.on('no-store')
    // A token helper that cannot be used shows before a login is spent on it.
    if (store) call.session.tokens()
    const got = await granted(call)
    if ('waiting' in got) return showWaiting(call, got.waiting, tokenOnly)
    if (store && !kept(call, got)) return 2
    if (call.flags.on('no-print')) return 0
    const answer = envelopeOf(got)
    if (tokenOnly) return printField(call, answer, 'token')
    const field = call.flags.text('field')
    if (field !== undefined) return printField(call, answer, field)
    if (call.session.format() === 'table') explain(call, store)
    printSecret(call, answer)
    return 0
  },
}

/** A token that could not be kept is shown: what it was given for may work only once. */
function kept(call: CommandCall, auth: AuthInfo): boolean {
  try {
    call.session.tokens().store(auth.client_token)
    return true
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    warn(call, `Error storing token: ${error.message}`)
    if (!call.flags.on('no-print')) {
      warn(
        call,
        'Authentication was successful, but the token was not persisted. The resulting token is shown below for your records.\n',
      )
      printSecret(call, envelopeOf(auth))
    }
    return false
  }
}

/** `waiting`: no token yet; what the server answered instead. */
async function granted(call: CommandCall): Promise<AuthInfo | { readonly waiting: Envelope }> {
  // A bad address or certificate file is local trouble: it shows before anything is sent.
  call.session.client({ token: '' })
  try {
    return await authenticate(call)
  } catch (error) {
    if (error instanceof Failure) throw error
    const waiting = error instanceof LoginIncomplete ? error.envelope : undefined
    if (waiting?.wrap_info) return unwrapped(call, waiting, waiting.wrap_info.token)
    const requirement = waiting?.auth?.mfa_requirement
    if (!waiting || !requirement) return failing(whatFailed(call), Promise.reject(error))
    return (await withSecondFactor(call, requirement)) ?? { waiting }
  }
}

const whatFailed = (call: CommandCall) =>
  (call.flags.text('method') ?? 'token') === 'token'
    ? 'Error authenticating: error looking up token'
    : 'Error authenticating'

/** A login that was asked for wrapped is opened to be kept; it stays wrapped for whoever keeps nothing. */
async function unwrapped(call: CommandCall, waiting: Envelope, token: string) {
  if (call.flags.on('token-only') || call.flags.on('no-store')) return { waiting }
  const opened = call.session.client({ token }).write('sys/wrapping/unwrap', {}, { signal: call.context.signal })
  const auth = (await failing('Error unwrapping the login', opened))?.auth
  if (!auth?.client_token) throw new Failure(2, 'Error authenticating: the wrapped answer holds no token')
  return auth
}

function showWaiting(call: CommandCall, waiting: Envelope, tokenOnly: boolean): number {
  if (waiting.wrap_info) {
    if (tokenOnly) return printField(call, waiting, 'wrapping_token')
    return printAnswer(call, waiting)
  }
  warn(
    call,
    'A login request was issued that is subject to MFA validation. Please make sure to validate the login by sending\nanother request to sys/mfa/validate endpoint.\n',
  )
  return printAnswer(call, waiting)
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
  const { mfa_requirement: _, ...members } = auth
  return {
    request_id: '',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth,
    document: { auth: members },
  }
}
