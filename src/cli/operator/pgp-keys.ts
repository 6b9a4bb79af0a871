import { readFileSync } from 'node:fs'
import { Failure } from '../command.ts'

/** Public keys as the server takes them: base64 of their bytes. Files hold them bare, in base64 or in ASCII armour. */
export async function pgpKeys(files: string | undefined): Promise<string[]> {
  return files === undefined || files.trim() === '' ? [] : Promise.all(files.split(',').map(readKey))
}

/** Undefined without a file. */
export async function pgpKey(file: string | undefined): Promise<string | undefined> {
  return file === undefined || file.trim() === '' ? undefined : readKey(file)
}

async function readKey(given: string): Promise<string> {
  const file = given.trim().replace(/^@/, '')
  if (file.startsWith('keybase:')) throw new Failure(1, 'keybase is not supported: give files with public keys')
  const { OpenpgpProblem, readKeyFile } = await import('../../lib/openpgp/openpgp.ts')
  const content = contentOf(file)
  try {
    return Buffer.from(readKeyFile(content)).toString('base64')
  } catch (cause) {
    if (cause instanceof OpenpgpProblem) throw new Failure(1, `the PGP key ${file} can't be used: ${cause.message}`)
    throw cause
  }
}

function contentOf(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new Failure(1, `the PGP key ${file} cannot be read`, { cause })
  }
}
