import type { TransportRequest } from '../../sdk/transport.ts'
import { needsSudo } from './sudo-paths.ts'

const capabilities: Readonly<Record<string, readonly string[]>> = {
  GET: ['read'],
  HEAD: ['read'],
  POST: ['create', 'update'],
  PUT: ['create', 'update'],
  PATCH: ['patch'],
  DELETE: ['delete'],
}

/** The smallest policy with which this request is allowed. */
export function samplePolicy(request: TransportRequest): string {
  const url = new URL(request.path, 'http://server.invalid')
  const path = decodeURIComponent(url.pathname.replace(/^\/v1\//, ''))
  const lists = request.method === 'GET' && url.searchParams.get('list') === 'true'
  const own = lists ? ['list'] : (capabilities[request.method] ?? [])
  const listed = [...own, ...(needsSudo(path) ? ['sudo'] : [])].map((name) => `"${name}"`).join(', ')
  return `path "${path.replace(/["\\]/g, '\\$&')}" {\n  capabilities = [${listed}]\n}`
}
