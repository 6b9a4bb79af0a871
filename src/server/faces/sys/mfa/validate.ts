/** sys/mfa/validate: the second half of a login that waits for its second factor. */
import { operation, Refusal, type Route } from '../../../contracts/request.ts'
import { readPayload } from '../../../identity/mfa/credentials.ts'
import type { MfaStore } from '../../../identity/mfa/mfa-store.ts'
import type { MountTable } from '../../../mounts/mount-table.ts'

export interface MfaRoutesOptions {
  readonly mfa: MfaStore
  readonly mounts: MountTable
}

export function mfaRoutes({ mfa, mounts }: MfaRoutesOptions): Route[] {
  const validate = operation({
    input: {
      mfa_request_id: { kind: 'string', description: 'What the login answered', required: true, default: '' },
      mfa_payload: { kind: 'json', description: 'Passcodes by method id: {"<id>": ["<passcode>"]}', required: true },
    },
    access: 'public',
    handle: async ({ input }) => {
      if (input.mfa_request_id === '') throw new Refusal(400, 'missing request ID')
      const shown = readPayload(input.mfa_payload as Parameters<typeof readPayload>[0])
      const mountOf = (uuid: string) => mounts.known.byUuid(uuid)?.info
      const { begun, grant } = await mfa.secondFactor.validate(input.mfa_request_id, shown, mountOf)
      return { kind: 'login', grant, begun }
    },
  })
  return [{ path: 'mfa/validate', summary: 'Shows the second factor of a login.', on: { update: validate } }]
}
