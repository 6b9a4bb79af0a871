import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readSharedCredentials } from './shared-credentials.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-awskms-'))
afterAll(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'credentials')

describe('a shared file of credentials', () => {
  it('gives one profile, as AWS writes it', () => {
    writeFileSync(
      file,
      '# a comment\r\n[default]\r\naws_access_key_id = A\r\naws_secret_access_key=s/+=\r\n\n[ kms ]\nAWS_ACCESS_KEY_ID=B\n; another\naws_secret_access_key = t\naws_session_token = u==\n',
    )
    expect(readSharedCredentials(file, 'default')).toEqual({ accessKeyId: 'A', secretAccessKey: 's/+=' })
    expect(readSharedCredentials(file, 'kms')).toEqual({
      accessKeyId: 'B',
      secretAccessKey: 't',
      sessionToken: 'u==',
    })
  })

  it.each([
    ['none', 'has no profile "none"'],
    ['half', 'the profile "half" of'],
  ])('names what is wrong with the profile %s, and nothing that stands there', (profile, why) => {
    writeFileSync(file, '[half]\naws_secret_access_key = canary\n')
    expect(() => readSharedCredentials(file, profile)).toThrow(why)
    expect(() => readSharedCredentials(file, profile)).not.toThrow('canary')
  })

  it('that is not there is named', () => {
    expect(() => readSharedCredentials(join(folder, 'no'), 'default')).toThrow(`${folder}/no cannot be read`)
  })
})
