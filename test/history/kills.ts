/** How many kills a run has: COFFER_KILLS for each storage, else few where `npm test` runs it and more in `test:all`. */
const given = process.env['COFFER_KILLS']
const orGiven = (usual: number) => Math.max(2, given === undefined ? usual : Number(given))

export const kills = { lmdb: orGiven(10), postgres: orGiven(30) }

/** For the test that has them: a start under load takes its time. */
export const killsDeadlineMs = 120_000 + Math.max(kills.lmdb, kills.postgres) * 20_000
