export interface ShareCounts {
  /** How many keys there are, and how many of them are needed. */
  readonly shares: number
  readonly threshold: number
}

/** Vault's words, undefined when nothing is wrong. */
export function shareCountProblem({ shares, threshold }: ShareCounts): string | undefined {
  if (!Number.isInteger(shares) || shares < 1) return 'shares must be at least one'
  if (!Number.isInteger(threshold) || threshold < 1) return 'threshold must be at least one'
  if (shares > 1 && threshold === 1) return 'threshold must be greater than one for multiple shares'
  if (shares > 255) return 'shares must be less than 256'
  if (threshold > shares) return 'threshold cannot be larger than shares'
  return undefined
}

/** A server that unseals itself may have no recovery keys at all. */
export function recoveryCountProblem(counts: ShareCounts): string | undefined {
  return counts.shares === 0 && counts.threshold === 0 ? undefined : shareCountProblem(counts)
}
