/** A development run keeps away from what is meant for real: its pods are processes of this user, and its tokens are printed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Why nothing for development may be put into this folder: a server keeps its configuration or its secrets there. */
export function productionIn(dir: string): string | undefined {
  if (!existsSync(dir)) return undefined
  const names = readdirSync(dir)
  const storage = names.find((name) => name.endsWith('.mdb'))
  if (storage) return `${dir} holds the storage of a server (${storage}): give another folder`
  const configuration = names.find((name) => /\.(hcl|json)$/.test(name) && configuresServer(join(dir, name)))
  return configuration && `${dir} holds the configuration of a server (${configuration}): give another folder`
}

/** Both forms of a server's configuration name its storage and its listeners. */
function configuresServer(path: string): boolean {
  try {
    const text = readFileSync(path, 'utf8')
    return /(^|[{,\s])"?storage"?[\s:{"]/.test(text) && /(^|[{,\s])"?listener"?[\s:{["]/.test(text)
  } catch {
    // A folder of that name, or a file that we may not read and therefore not touch.
    return false
  }
}

/** The shell speaks to a server elsewhere, and goes on doing so until it reads the run's file `env`. */
export function serverElsewhere(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const name = ['COFFER_ADDR', 'VAULT_ADDR', 'BAO_ADDR'].find((one) => env[one])
  const address = name && env[name]
  if (!address || !URL.canParse(address)) return undefined
  const { hostname } = new URL(address)
  if (hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')) return undefined
  return `${name}=${address}: commands in this shell go there, not to this run, until you read its file env`
}
