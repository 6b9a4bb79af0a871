export const pgbouncer: string
export function postgresBin(): string | undefined
export const postgresVersions: readonly number[]
export function postgresBinOf(version: number): string | undefined
export function missingPostgres(): string | undefined
