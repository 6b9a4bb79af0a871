/** The region in "arn:aws:kms:eu-west-1:…"; undefined when `keyId` is an id or the name of an alias. */
export function regionOf(keyId: string): string | undefined {
  return /^arn:[^:]+:kms:([a-z0-9-]+):/.exec(keyId)?.[1]
}

/** True for one key, and for replicas of one key in several regions (ids that begin with "mrk-"). */
export function sameKey(one: string, other: string): boolean {
  if (one === other) return true
  const replicated = /:key\/(mrk-[0-9a-f]+)$/
  const id = replicated.exec(one)?.[1]
  return id !== undefined && id === replicated.exec(other)?.[1]
}
