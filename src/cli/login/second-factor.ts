import type { AuthInfo, MfaMethod, MfaRequirement } from '../../sdk/envelope.ts'
import { completeLogin } from '../../sdk/login/login.ts'
import { type CommandCall, failing } from '../command.ts'
import { askHidden } from '../input/hidden-prompt.ts'
import { warn } from '../output/secret.ts'

/**
 * The login with its second factor, asked for on the terminal. Undefined: not here, as there is a choice of methods or
 * nobody to ask; the request waits for sys/mfa/validate.
 */
export async function withSecondFactor(call: CommandCall, requirement: MfaRequirement): Promise<AuthInfo | undefined> {
  const method = onlyMethod(requirement)
  if (!method || call.flags.on('non-interactive')) return undefined
  warn(call, 'Initiating Interactive MFA Validation...')
  const code = method.uses_passcode
    ? await askHidden(
        call.context,
        `Enter the passphrase for methodID ${JSON.stringify(method.id)} of type ${JSON.stringify(method.type)}: `,
        'a second factor is asked for; with -non-interactive the request is shown, to be validated by sys/mfa/validate',
      )
    : ''
  const validated = completeLogin(call.session.client({ token: '' }), {
    requirement,
    passcodes: { [method.id]: code },
    signal: call.context.signal,
  })
  return failing('Error validating the second factor', validated)
}

function onlyMethod(requirement: MfaRequirement): MfaMethod | undefined {
  const [methods, ...others] = Object.values(requirement.mfa_constraints)
  return others.length === 0 && methods?.length === 1 ? methods[0] : undefined
}
