/** Why one of two rules that match the same path counts. */
import { compareSpecificity, type Pattern, patternMatches, readPattern } from '../pattern-index.ts'

/** Whether the rule's path stands for the request's; of lists also without their trailing slash. */
export function matches(rulePath: string, path: string, bare: string | undefined, scan: boolean): boolean {
  const pattern = readPattern(rulePath)
  if (!pattern) return rulePath === path || rulePath === bare
  return patternMatches(pattern, path) || (bare !== undefined && !scan && patternMatches(pattern, bare))
}

/** What `loser` lacks; both match. */
export function whyLost(loser: string, winner: string): string {
  const [lost, won] = [readPattern(loser), readPattern(winner)]
  if (!won) return lost ? 'an exact path counts before any wildcard' : 'the path with its trailing slash counts first'
  if (!lost) return 'the path with its trailing slash counts first'
  if (compareSpecificity(lost, won) > 0) return 'it says nothing about listing, and a less specific rule allows it'
  return tieBreak(lost, won)
}

function tieBreak(lost: Pattern, won: Pattern): string {
  if (lost.firstWildcard !== won.firstWildcard) return 'its first wildcard comes earlier'
  if (lost.isPrefix !== won.isPrefix) return 'it ends in a wildcard'
  if (lost.plusSegments !== won.plusSegments) return 'it has more "+" segments'
  return lost.stem.length === won.stem.length ? 'it comes first in the alphabet' : 'it is shorter'
}
