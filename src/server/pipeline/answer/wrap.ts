/** Answers that go out as a wrapping token instead. */
import { RawJson } from '../../../lib/json/value.ts'
import type { NamespaceInfo } from '../../contracts/epochs.ts'
import { Refusal } from '../../contracts/request.ts'
import { maxRowBytes, refuseHuge } from '../../contracts/row-size.ts'
import type { Wrappings } from '../../wrapping/wrapping.ts'
import type { Answer, Exchange } from '../exchange.ts'

/**
 * What has an envelope and says something is wrapped. So are bytes that are there whole, as Vault's members `http_…`, and
 * what another wrapping token held, as it is. Refusals, empty answers and status documents go out as they are.
 */
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
  if (x.wrapTtlMs <= 0 || answer.status !== 200) return answer
  const text = textOf(x, answer, options.render)
  if (text === undefined) return answer
  const accessor = answer.kind === 'envelope' ? answer.auth?.['accessor'] : undefined
  x.wrapped = await options.wrappings.wrap(text, {
    ...(answer.kind === 'raw' ? { raw: true } : {}),
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

/** The document that waits; undefined: nothing to wrap. Refusal 413 before the text of what no row holds is made. */
function textOf(x: Exchange, answer: Answer, render: (answer: Answer) => string): string | undefined {
  if (answer.kind === 'document') return answer.body instanceof RawJson ? answer.body.text : undefined
  if (answer.kind === 'raw') return render(inEnvelope(x, answer)).trimEnd()
  if (answer.kind !== 'envelope' || (answer.data === null && answer.auth === null)) return undefined
  refuseHuge(answer.data)
  return render(answer).trimEnd()
}

function inEnvelope(x: Exchange, answer: Extract<Answer, { kind: 'raw' }>): Answer {
  const { requestId, contentType, status, body } = answer
  if (!(body instanceof Uint8Array)) {
    // Whoever was to give it, gives up what it holds.
    x.deadline.abandon()
    throw new Refusal(400, 'an answer that is streamed cannot be wrapped')
  }
  if (body.length > maxRowBytes) throw new Refusal(413, 'an answer of more than a megabyte cannot be wrapped')
  const data = {
    http_content_type: contentType,
    http_raw_body: Buffer.from(body).toString('base64'),
    http_status_code: status,
  }
  return { requestId, status, kind: 'envelope', data, warnings: [], auth: null, topLevel: false }
}
