/** How many kills a run has, both storages together: 60, or COFFER_KILLS. */
const total = Number(process.env['COFFER_KILLS'] ?? 60)

export const killsOfEach = Math.max(2, Math.ceil(total / 2))

/** For the test that has them: a start under load takes its time. */
export const killsDeadlineMs = 120_000 + killsOfEach * 20_000
