import { readFileSync } from 'node:fs'
import { Refusal } from '../../contracts/request.ts'
import type { AwsCredentials } from './sdk-client.ts'

/** One profile of a file in the format of ~/.aws/credentials. The errors name the file and the profile, nothing that stands in it. */
export function readSharedCredentials(path: string, profile: string): AwsCredentials {
  const found = profileOf(readText(path), profile)
  if (!found) throw refused(`${path} has no profile "${profile}"`)
  const accessKeyId = found.get('aws_access_key_id')
  const secretAccessKey = found.get('aws_secret_access_key')
  const sessionToken = found.get('aws_session_token')
  if (!accessKeyId || !secretAccessKey) {
    throw refused(`the profile "${profile}" of ${path} needs aws_access_key_id and aws_secret_access_key`)
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }
}

const refused = (words: string, cause?: unknown) =>
  new Refusal(500, `seal "awskms": shared_creds_filename: ${words}`, { cause })

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw refused(`the file ${path} cannot be read`, cause)
  }
}

function profileOf(text: string, profile: string): ReadonlyMap<string, string> | undefined {
  let section: Map<string, string> | undefined
  const sections = new Map<string, Map<string, string>>()
  for (const raw of text.split('\n')) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const name = /^\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line)?.[1]
    if (name !== undefined) {
      section = sections.get(name) ?? new Map()
      sections.set(name, section)
      continue
    }
    const at = line.indexOf('=')
    if (at > 0) section?.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim())
  }
  return sections.get(profile)
}
