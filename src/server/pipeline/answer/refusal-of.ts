/** What went wrong, in words for the client; what only operators may know goes to the log. */
import type { LogFields, Logger } from '../../../lib/log.ts'
import { Refusal } from '../../contracts/request.ts'
import { OutcomeUnknown, StorageDown, StorageFull } from '../../contracts/storage.ts'
import type { Exchange } from '../exchange.ts'

export function refusalOf(x: Exchange, error: unknown, log: Logger): Refusal {
  if (error instanceof Refusal) {
    if (error.cause !== undefined) log.warn('refused', { request: x.id, error: describeError(error.cause) })
    return error
  }
  const fields = { request: x.id, path: x.incoming.path, error: describeError(error), ...standingFields(x) }
  log.error('request failed', fields)
  if (x.call?.standing) return internalError(x)
  if (error instanceof StorageFull) return new Refusal(503, error.message)
  if (error instanceof StorageDown) return new Refusal(503, 'the storage cannot be reached')
  if (error instanceof OutcomeUnknown) {
    return new Refusal(503, 'the storage was cut off: the write may or may not have happened, read before trying again')
  }
  if (x.deadline.exceeded) return new Refusal(503, `the request took longer than ${x.deadline.ms / 1000} s`)
  return internalError(x)
}

/** In place of an answer. Who reads it has to know what happened all the same: else it would be tried again, or looked for in vain. */
export function internalError({ call }: Exchange): Refusal {
  return new Refusal(
    500,
    call?.standing ? `internal error, and yet it happened: ${call.standing.words}` : 'internal error',
  )
}

export function standingFields({ call }: Exchange): LogFields {
  return call?.standing ? { happened: call.standing.words, ...call.standing.facts } : {}
}

export const describeError = (error: unknown) =>
  error instanceof Error ? `${error.name}: ${error.message}` : 'unknown'
