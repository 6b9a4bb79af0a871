import type { MountInfo } from '../request.ts'

export interface Arrival {
  /** '' for root, else with its trailing slash. */
  readonly namespacePath: string
  /** Below the namespace. */
  readonly path: string
  /** Undefined when no mount answers. */
  readonly mountPath: string | undefined
  /** Known only for logins whose method says it (AuthMethod.identify). */
  readonly role?: string
  readonly remoteAddress: string
}

/** For the answer, if any. */
export type AdmissionHeaders = Readonly<Record<string, string>> | undefined

/** Rate limits, before a token is looked at. */
export interface Admission {
  /** Another number whenever this process has found that the quotas were changed. */
  readonly revision: number
  /** Refused requests are to be in the audit. */
  readonly auditRefusals: boolean
  /** Whether a quota counts by role here, so that the role must be found out first. */
  wantsRole(namespacePath: string, mountPath: string): boolean
  /** Refusal 429. A promise only where the count is not this process's own. */
  admit(arrival: Arrival): AdmissionHeaders | Promise<AdmissionHeaders>
  /** The root namespace's epoch `audit` (it stands for quotas too) has another version. */
  changed(version: string): Promise<void>
  /** Looks whether it has, which a refusal must know: true when other quotas count now. */
  renew(): Promise<boolean>
}

/** Leases and login tokens that may exist at the same time. */
export interface LeaseCounts {
  /** Refusal 429 when a lease-count quota is used up. `counted`: what is asked for is stored already, and so among what is counted. */
  admitLease(namespacePath: string, mountPath: string, path: string, counted?: boolean): Promise<void>
}

/** Logins that failed too often; for methods that implement AuthMethod.identify and answer an alias. */
export interface Lockout {
  /** Refusal 403 `permission denied` while the user is locked. */
  check(namespaceId: string, mount: MountInfo, alias: string): Promise<void>
  failed(namespaceId: string, mount: MountInfo, alias: string): Promise<void>
  succeeded(namespaceId: string, mount: MountInfo, alias: string): Promise<void>
}
