import type { JsonObject } from '../../lib/json/value.ts'
import { isObject } from '../../sdk/envelope.ts'
import { type CommandCall, Failure, failing } from '../command.ts'

export interface ReadVersion {
  /** Undefined: it was deleted or destroyed, or null was written. */
  readonly data: JsonObject | undefined
  readonly metadata: JsonObject
}

/** One version with its metadata; Failure 2 when the key or the version is not there. `purpose` ends the sentence "… only works on existing data". */
export async function readVersion(
  call: CommandCall,
  full: string,
  purpose: string,
  version?: number,
): Promise<ReadVersion> {
  const client = call.session.client()
  const query = version === undefined ? {} : { version }
  const reading = client.read(full, query, { signal: call.context.signal })
  const answer = await failing(`Error doing pre-read at ${full}`, reading)
  if (!answer?.data) throw new Failure(2, `No value found at ${full}`)
  const { data, metadata } = answer.data
  if (!isObject(metadata)) throw new Failure(2, `No metadata found at ${full}; ${purpose} only works on existing data`)
  return { data: isObject(data) ? data : undefined, metadata }
}

/** Failure 2 when it has no data, in the words of its metadata. */
export function dataOf({ data, metadata }: ReadVersion, full: string, purpose: string): JsonObject {
  if (data) return data
  const verb = purpose === 'rollback' ? 'roll back to' : purpose
  if (metadata['destroyed'] === true) throw new Failure(2, `Cannot ${verb} a version that has been destroyed`)
  if (metadata['deletion_time'] !== '') throw new Failure(2, `Cannot ${verb} a version that has been deleted`)
  throw new Failure(2, `No data found at ${full}; ${purpose} only works on existing data`)
}
