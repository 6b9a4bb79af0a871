/** sys/policies/password: how generated passwords look. */
import { operation, Refusal, type Route } from '../../../contracts/request.ts'
import type { PasswordPolicies } from '../../../policies/passwords/password-policies.ts'

export function passwordPolicyRoutes(passwords: PasswordPolicies): Route[] {
  return [
    {
      path: 'policies/password',
      summary: 'Lists the password policies.',
      on: {
        list: operation({ input: {}, handle: async () => ({ kind: 'data', data: { keys: await passwords.list() } }) }),
      },
    },
    {
      path: 'policies/password/{name...}/generate',
      summary: 'A password that a policy prescribes.',
      on: {
        read: operation({
          input: {},
          handle: async (call) => ({
            kind: 'data',
            data: { password: await passwords.generate(call.params['name'] ?? '') },
          }),
        }),
      },
    },
    {
      path: 'policies/password/{name...}',
      summary: 'A password policy.',
      on: {
        read: operation({
          input: {},
          handle: async (call) => {
            const policy = await passwords.get(call.params['name'] ?? '')
            if (policy === undefined) throw new Refusal(404, 'policy does not exist')
            return { kind: 'data', data: { policy } }
          },
        }),
        update: operation({
          input: {
            policy: { kind: 'string', description: 'Length and rules: HCL, JSON or base64 of either', default: '' },
          },
          handle: async (call) => {
            await passwords.put(call.params['name'] ?? '', call.input.policy)
            return { kind: 'none' }
          },
        }),
        delete: operation({
          input: {},
          handle: async (call) => {
            await passwords.delete(call.params['name'] ?? '')
            return { kind: 'none' }
          },
        }),
      },
    },
  ]
}
