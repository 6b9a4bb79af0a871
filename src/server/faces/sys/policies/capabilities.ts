/** What policies permit: sys/capabilities, -self, -accessor. */
import type { JsonObject } from '../../../../lib/json/value.ts'
import type { Fields } from '../../../contracts/fields.ts'
import { operation, Refusal, type Reply, type Route } from '../../../contracts/request.ts'
import type { CallerAcl, PresentedTokens } from '../../../tokens/presented-tokens.ts'
import type { Subjects } from './subjects.ts'

export interface CapabilityRoutesOptions {
  readonly subjects: Subjects
  readonly presented: PresentedTokens
}

const pathFields = {
  path: { kind: 'commaList', description: 'The paths to ask about' },
  paths: { kind: 'commaList', description: 'The paths to ask about' },
} as const satisfies Fields

export function capabilityRoutes({ subjects, presented }: CapabilityRoutesOptions): Route[] {
  return [
    {
      path: 'capabilities-self',
      summary: 'What the caller may do with paths.',
      on: {
        update: operation({
          input: pathFields,
          effect: 'none',
          handle: async (call) => answer(presented.get(call)?.acl, call.input, 'invalid token'),
        }),
      },
    },
    {
      path: 'capabilities',
      summary: 'What a token may do with paths.',
      on: {
        update: operation({
          input: { ...pathFields, token: { kind: 'string', description: 'The token', default: '' } },
          effect: 'none',
          handle: async (call) => {
            const subject = await subjects.ofToken(call.input.token)
            return answer(subject?.acl, call.input, 'invalid token')
          },
        }),
      },
    },
    {
      path: 'capabilities-accessor',
      summary: 'What the token of an accessor may do with paths.',
      on: {
        update: operation({
          input: { ...pathFields, accessor: { kind: 'string', description: 'The accessor', default: '' } },
          effect: 'none',
          handle: async (call) => {
            if (call.input.accessor === '') throw new Refusal(400, 'missing accessor')
            const subject = await subjects.ofAccessor(call.input.accessor)
            return answer(subject?.acl, call.input, 'invalid accessor')
          },
        }),
      },
    },
  ]
}

function answer(
  acl: CallerAcl | undefined,
  input: { readonly path?: readonly string[]; readonly paths?: readonly string[] },
  otherwise: string,
): Reply {
  const paths = input.paths && input.paths.length > 0 ? input.paths : (input.path ?? [])
  if (paths.length === 0) throw new Refusal(400, 'paths must be supplied')
  if (!acl) throw new Refusal(400, `1 error occurred:\n\t* ${otherwise}\n\n`)
  const data: Record<string, readonly string[]> = Object.create(null)
  for (const path of paths) data[path] = acl.capabilities(path.replace(/^\/+/, ''))
  const only = paths.length === 1 && paths[0] !== undefined ? data[paths[0]] : undefined
  const all: JsonObject = only ? { ...data, capabilities: only } : data
  return { kind: 'data', data: all, topLevel: true }
}
