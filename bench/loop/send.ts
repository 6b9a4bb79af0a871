import { type Agent, request } from 'node:http'

export interface Send {
  readonly url: string
  readonly method: string
  readonly path: string
  readonly token: string
  readonly body?: Buffer | string
}

export interface Sent {
  readonly status: number
  readonly bytes: number
  readonly text: string
}

const keptBytes = 1024 * 1024

/** The answer's bytes are counted, not kept, unless it is small. */
export function sendWith(agent: Agent, { url, method, path, token, body }: Send): Promise<Sent> {
  return new Promise((done, fail) => {
    const outgoing = request(`${url}/v1/${path}`, { method, agent, headers: { 'X-Vault-Token': token } }, (answer) => {
      let bytes = 0
      const parts: Buffer[] = []
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes < keptBytes) parts.push(chunk)
      })
      answer.on('error', fail)
      answer.on('end', () =>
        done({
          status: answer.statusCode ?? 0,
          bytes,
          text: bytes < keptBytes ? Buffer.concat(parts).toString() : '',
        }),
      )
    })
    outgoing.on('error', fail)
    outgoing.end(body)
  })
}
