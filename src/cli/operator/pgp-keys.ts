import { readFileSync } from 'node:fs'
import { Failure } from '../command.ts'

/** Public keys as the server takes them: base64 of their bytes. Files hold them bare, in base64 or in ASCII armour. */
export async function pgpKeys(files: string | undefined): Promise<string[]> {
  return files === undefined || files.trim() === '' ? [] : files.split(',').map((file) => readKey(file.trim()))
}

function readKey(file: string): string {
  if (file.startsWith('keybase:')) throw new Failure(1, 'keybase is not supported: give files with public keys')
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new Failure(1, `the PGP key ${file} cannot be read`, { cause })
  }
  const text = bytes.toString('latin1').trim()
  const armoured =
    /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?\r?\n\r?\n([\s\S]*?)(?:\r?\n=[A-Za-z0-9+/]{4})?\r?\n-----END/.exec(
      text,
    )
  if (armoured) return (armoured[1] ?? '').replace(/\s+/g, '')
  return /^[A-Za-z0-9+/=\s]+$/.test(text) ? text.replace(/\s+/g, '') : bytes.toString('base64')
}
