import { ResponseError } from '../../../sdk/response-error.ts'
import { TransportError } from '../../../sdk/transport.ts'
import { ProviderError } from '../provider.ts'

/** Only no answer, 5xx and sealed are an outage: what the server says for sure is never papered over. */
export function providerErrorOf(error: unknown, doing: string): unknown {
  if (error instanceof TransportError) {
    return new ProviderError('outage', `${doing}: ${firstLine(error.message)}`, { cause: error })
  }
  if (!(error instanceof ResponseError)) return error
  const message = `${doing}: ${error.message}`
  if (error.status === 401 || error.status === 403) return new ProviderError('denied', message, { cause: error })
  if (error.status >= 500 && error.status !== 501) {
    return new ProviderError('outage', message, { cause: error, reason: 'StoreFailing' })
  }
  return new ProviderError('failed', message, { cause: error })
}

const firstLine = (text: string) => text.split('\n', 1)[0] ?? ''
