/** How many kills (faults of the network, for that) a run has: COFFER_KILLS for each storage, else few where `npm test` runs it and more in `test:all`. */
const given = process.env['COFFER_KILLS']
if (given !== undefined && !(Number(given) >= 2))
  throw new Error(`COFFER_KILLS must be a number from 2, not "${given}"`)
const orGiven = (usual: number) => (given === undefined ? usual : Number(given))

export const kills = { lmdb: orGiven(10), workers: orGiven(16), network: orGiven(24), postgres: orGiven(30) }

/** For the test that has them: a start under load takes its time. */
export const killsDeadlineMs = 120_000 + Math.max(...Object.values(kills)) * 20_000
