/** Answers that go out as a wrapping token instead. */
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import type { Wrappings } from '../../wrapping/wrapping.ts'
import type { Answer, Exchange } from '../exchange.ts'

/** Only what has an envelope and says something is wrapped: refusals and empty answers go out as they are. */
export async function wrapAnswer(
  x: Exchange,
  answer: Answer,
  options: {
    readonly wrappings: Wrappings
    readonly render: (answer: Answer) => string
    readonly namespace: NamespaceInfo
    /** Where clients reach this server. */
    readonly address?: string
  },
): Promise<Answer> {
  if (x.wrapTtlMs <= 0 || answer.kind !== 'envelope' || answer.status !== 200) return answer
  if (answer.data === null && answer.auth === null) return answer
  const accessor = answer.auth?.['accessor']
  x.wrapped = await options.wrappings.wrap(options.render(answer).trimEnd(), {
    ttlMs: x.wrapTtlMs,
    creationPath: x.path,
    namespace: options.namespace,
    ...(typeof accessor === 'string' && accessor !== '' ? { wrappedAccessor: accessor } : {}),
  })
  if (x.incoming.headers['x-vault-wrap-format'] === 'jwt') {
    x.wrapped = { ...x.wrapped, token: await options.wrappings.jwt.of(x.wrapped, options.address ?? '') }
  }
  const { requestId, headers } = answer
  return { requestId, status: 200, ...(headers ? { headers } : {}), kind: 'wrapped', wrapped: x.wrapped }
}
