/** One request for objects of one kind, after authentication and routing. */
import type { User } from '../identity/user.ts'
import type { Resource } from '../resource.ts'

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

export interface RequestContext {
  readonly user: User
  readonly resource: Resource
  readonly namespace: string | undefined
  /** Undefined for a collection. */
  readonly name: string | undefined
  readonly subresource: string | undefined
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
  /** Become Warning headers. */
  readonly warnings: string[]
  readonly signal: AbortSignal | undefined
}

export const isDryRun = (query: URLSearchParams) => query.getAll('dryRun').includes('All')

/** The name under which managedFields knows the writer. */
export function managerOf(context: Pick<RequestContext, 'query' | 'headers'>): string {
  const named = context.query.get('fieldManager')
  if (named) return named
  const agent = context.headers['user-agent'] ?? ''
  return agent.split('/')[0] || 'unknown'
}

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const asked = query.get('fieldValidation')
  return asked === 'Strict' || asked === 'Ignore' ? asked : 'Warn'
}
