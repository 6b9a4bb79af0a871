import { envelopeOf } from '../../sdk/fake-transport.ts'
import type { TransportRequest, TransportResponse } from '../../sdk/transport.ts'

type Answer = Partial<TransportResponse>

/** For tests: a server with version 2 at secret/ and version 1 at old/. `answer` is asked for all but the preflight. */
export const kvServer =
  (answer: (request: TransportRequest) => Answer) =>
  (request: TransportRequest): Answer => {
    if (request.path.startsWith('/v1/sys/internal/ui/mounts/old'))
      return envelopeOf({ data: { path: 'old/', options: null } })
    if (request.path.startsWith('/v1/sys/internal/ui/mounts/secret')) {
      return envelopeOf({ data: { path: 'secret/', options: { version: '2' } } })
    }
    if (request.path.startsWith('/v1/sys/internal/')) {
      return { status: 403, body: '{"errors":["preflight capability check returned 403"]}' }
    }
    return answer(request)
  }

export const refusal = (status: number, words: string): Answer => ({
  status,
  body: JSON.stringify({ errors: [words] }),
})

export const versionMetadata = (version: number, more: object = {}) => ({
  created_time: '2026-01-02T03:04:05.678Z',
  custom_metadata: null,
  deletion_time: '',
  destroyed: false,
  version,
  ...more,
})

/** data/app with these versions, from 1; null: deleted. */
export const versionsServer = (...versions: readonly (object | null)[]) =>
  kvServer((request) => {
    if (request.method !== 'GET') return envelopeOf({ data: versionMetadata(versions.length + 1) })
    const asked = Number(/version=(\d+)/.exec(request.path)?.[1] ?? versions.length)
    const data = versions[asked - 1]
    if (data === undefined) return { status: 404, body: '{"errors":[]}' }
    const deleted = data === null ? { deletion_time: '2026-02-01T00:00:00Z' } : {}
    const answer = envelopeOf({ data: { data, metadata: versionMetadata(asked, deleted) } })
    return data === null ? { ...answer, status: 404 } : answer
  })
