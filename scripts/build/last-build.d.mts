export function stateOf(dist: string, sources: readonly string[]): 'stale' | 'not compiled' | 'fresh'
