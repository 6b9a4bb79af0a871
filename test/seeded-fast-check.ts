/**
 * fast-check with the run's seed (vitest.config.ts puts it in place of the package). COFFER_SEED makes a whole run repeatable:
 * `.ci/run` sets it from `.ci/seed`, so a commit that passed once is not refused later for a case that nobody has seen.
 * Without it each run tries other cases.
 */
import fc from '../node_modules/fast-check/lib/fast-check.js'

const seed = process.env['COFFER_SEED']
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) })

export * from '../node_modules/fast-check/lib/fast-check.js'
export { fc as default }
