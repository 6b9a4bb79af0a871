/** The paths of sys/ and auth/token/ that need the capability sudo, so that -output-policy can say so without asking a server. */
const patterns: readonly RegExp[] = [
  /^auth\/token\/(?:accessors|revoke-orphan)\/?$/,
  /^sys\/audit(?:\/.+)?$/,
  /^sys\/auth\/.+$/,
  /^sys\/coffer\/audit(?:\/(?:checkpoint|evidence))?$/,
  /^sys\/config\/(?:auditing\/request-headers|ui\/headers)(?:\/.*)?$/,
  /^sys\/config\/cors$/,
  /^sys\/generate-root-token\/(?:attempt|update)$/,
  /^sys\/leases$/,
  // An id is looked up by writing to sys/leases/lookup itself; only the lists below it are guarded.
  /^sys\/leases\/lookup\/.*$/,
  /^sys\/(?:leases\/)?revoke-(?:force|prefix)\/.+$/,
  /^sys\/namespaces\/api-lock\/(?:un)?lock(?:\/.*)?$/,
  /^sys\/plugins\/catalog\/.+$/,
  /^sys\/plugins\/pins(?:\/.+)?$/,
  /^sys\/plugins\/reload\/backend$/,
  /^sys\/raw(?:\/.+)?$/,
  /^sys\/rekey\/(?:recovery-key-)?backup$/,
  /^sys\/remount(?:\/status\/.+)?$/,
  /^sys\/rotate(?:\/(?:keyring|root))?$/,
  /^sys\/rotate\/(?:root|recovery)\/(?:backup|init|update|verify)$/,
  /^sys\/(?:seal|step-down)$/,
  /^sys\/storage\/raft\/snapshot-force$/,
]

/** `path` without "/v1/". */
export const needsSudo = (path: string): boolean => patterns.some((pattern) => pattern.test(path))
