/** One call of a webhook: an AdmissionReview over HTTPS, verified with the configuration's own CA. */
import { request } from 'node:https'

/** Posts `body`; rejects when no answer came. In tests the handler is called without a socket. */
export type WebhookCall = (call: {
  readonly url: string
  /** PEM; undefined: the system's authorities. */
  readonly caPem: string | undefined
  readonly body: string
  readonly timeoutMs: number
}) => Promise<{ readonly status: number; readonly body: string }>

const maxAnswerBytes = 8 * 1024 * 1024

export const callWebhookOverHttps: WebhookCall = ({ url, caPem, body, timeoutMs }) =>
  new Promise((resolve, reject) => {
    // A deadline for the whole exchange, not only for silence on the socket.
    const signal = AbortSignal.timeout(timeoutMs)
    const sent = request(
      url,
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        agent: false,
        signal,
        ...(caPem === undefined ? {} : { ca: caPem }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > maxAnswerBytes) sent.destroy(new Error('the answer is too large'))
          chunks.push(chunk)
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        )
        response.on('error', reject)
      },
    )
    sent.on('error', (error) => reject(signal.aborted ? new Error('context deadline exceeded') : error))
    sent.end(body)
  })
