export const pgbouncer: string
export function postgresBin(): string | undefined
export function missingPostgres(): string | undefined
