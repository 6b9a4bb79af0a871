/** What may change or refuse a write before it is stored. */
import type { KubeObject } from '../../../kube/client.ts'
import type { User } from '../identity/user.ts'
import type { Resource } from '../resource.ts'
import type { Tree } from '../tree.ts'

export interface AdmissionAttempt {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly resource: Resource
  readonly subresource: string | undefined
  readonly namespace: string | undefined
  /** Empty while a generated name is not made yet. */
  readonly name: string
  /** The name in the request's path; a POST has none. */
  readonly pathName?: string | undefined
  /** Undefined for DELETE. */
  readonly object: KubeObject | undefined
  readonly before: KubeObject | undefined
  readonly user: User
  readonly dryRun: boolean
  /** CreateOptions, UpdateOptions … as the webhook sees them. */
  readonly options: Tree
  readonly warnings: string[]
}

export interface Admission {
  /** The object to store, which may be another than that of the attempt; a StatusError refuses. */
  admit(attempt: AdmissionAttempt): Promise<KubeObject | undefined>
  /** A last look at what was found valid and is about to be stored; a StatusError refuses. */
  review?(attempt: AdmissionAttempt): Promise<void>
}

/** How a refusal names the object: by what its name will begin with while it has none. */
export const shownName = ({ name, object }: AdmissionAttempt) => name || object?.metadata.generateName || ''
