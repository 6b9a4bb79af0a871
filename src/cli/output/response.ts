/** Responses as Vault's client takes them, for the commands that work with any path. */
import { saysMore, type VaultResponse } from '../../sdk/client.ts'
import { type Envelope, isObject, readEnvelope } from '../../sdk/envelope.ts'
import { ResponseError } from '../../sdk/response-error.ts'
import { type CommandCall, failing } from '../command.ts'
import { printSecret } from './secret.ts'

/** A document without envelope (sys/health, sys/seal-status) counts as data. */
export function answerOf(response: VaultResponse | undefined): Envelope | undefined {
  if (!response || response.envelope) return response?.envelope
  const { document } = response
  if (!isObject(document) || 'errors' in document || Object.keys(document).length === 0) return undefined
  return readEnvelope({ data: document })
}

/** What a change answered. Of one that met 404 the warnings and data are printed before it fails. */
export async function changed(
  call: CommandCall,
  what: string,
  work: Promise<VaultResponse>,
): Promise<Envelope | undefined> {
  const told = work.catch((error: unknown) => {
    const envelope = error instanceof ResponseError && error.status === 404 ? error.response.envelope : undefined
    if (saysMore(envelope)) printSecret(call, envelope)
    throw error
  })
  return answerOf(await failing(what, told))
}
