import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseHcl } from '../../../../lib/hcl/parse.ts'
import { planSnapshots } from '../snapshot-plan.ts'
import { readSnapshots } from '../snapshots-stanza.ts'

const folder = mkdtempSync(join(tmpdir(), 'coffer-s3-stanza-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const read = (inner: string) => readSnapshots(parseHcl(`snapshots {\n${inner}\n}`))

describe('the stanza snapshots with a bucket', () => {
  it("takes the names of Vault's automated snapshots; an empty text is an absent one", () => {
    const text = `
      storage_type = "aws-s3"
      interval = "2h"
      retain = 3
      path_prefix = "backups/coffer"
      aws_s3_bucket = "safe"
      aws_s3_region = "eu-west-1"
      aws_s3_endpoint = "minio.example:9000"
      aws_s3_disable_tls = "true"
      aws_s3_force_path_style = true
      aws_s3_enable_kms = true
      aws_s3_kms_key = "alias/coffer"
      aws_access_key_id = "env://A"
      aws_secret_access_key = "file:///s"
      aws_session_token = ""`
    expect(read(text)).toEqual({
      intervalMs: 7_200_000,
      keep: 3,
      to: {
        kind: 's3',
        bucket: 'safe',
        prefix: 'backups/coffer/',
        region: 'eu-west-1',
        endpoint: 'http://minio.example:9000',
        pathStyle: true,
        encryption: { kind: 'aws:kms', kmsKey: 'alias/coffer' },
        accessKey: 'env://A',
        secretKey: 'file:///s',
      },
    })
    expect(read('aws_s3_bucket = "safe"')?.to).toEqual({ kind: 's3', bucket: 'safe', prefix: '', pathStyle: false })
  })

  it.each([
    ['', 'needs a path, the folder that they go to, or aws_s3_bucket'],
    ['storage_type = "aws-s3"', 'need aws_s3_bucket'],
    ['storage_type = "azure-blob"', 'must be one of local, aws-s3'],
    ['storage_type = "local"\naws_s3_bucket = "safe"', 'not to both'],
    ['path = "/b"\naws_s3_bucket = "safe"', 'not to both'],
    ['aws_s3_region = "eu-west-1"', 'need aws_s3_bucket'],
    ['aws_s3_bucket = "a/b"', 'must be the name of a bucket'],
    ['aws_s3_bucket = "safe"\npath_prefix = "/a"', 'must be like "backups/coffer"'],
    ['aws_s3_bucket = "safe"\npath_prefix = "a//b"', 'must be like "backups/coffer"'],
    ['aws_s3_bucket = "safe"\naws_s3_endpoint = "http://minio"', 'has no TLS: aws_s3_disable_tls = true allows that'],
    ['aws_s3_bucket = "safe"\naws_s3_endpoint = "https://u:canary@minio"', 'without user'],
    ['aws_s3_bucket = "safe"\naws_s3_disable_tls = true', 'needs aws_s3_endpoint'],
    ['aws_s3_bucket = "safe"\naws_s3_enable_kms = true\naws_s3_server_side_encryption = true', 'exclude each other'],
    ['aws_s3_bucket = "safe"\naws_s3_kms_key = "k"', 'needs aws_s3_enable_kms'],
    ['aws_s3_bucket = "safe"\naws_secret_access_key = "canary"', 'belong together'],
    ['aws_s3_bucket = "safe"\naws_session_token = "canary"', 'aws_session_token needs'],
    ['aws_s3_bucket = "safe"\nlocal_max_space = 5', 'is not supported: keep bounds them'],
  ])('%s is refused', (inner, why) => {
    expect(() => read(inner)).toThrow(why)
    expect(() => read(inner)).not.toThrow('canary')
  })

  it('whose credentials stand where nothing is keeps the server from starting, and shows none', () => {
    const withKey = (source: string) =>
      read(`aws_s3_bucket = "safe"\naws_access_key_id = "A"\naws_secret_access_key = "${source}"`) ??
      expect.unreachable()
    expect(() => planSnapshots(withKey('env://NO'), {})).toThrow(
      'snapshots: aws_secret_access_key: the environment has no NO',
    )
    expect(() => planSnapshots(withKey('file:///no/such'), {})).toThrow('the file /no/such cannot be read')
    expect(() => planSnapshots(withKey('env://YES'), { YES: 'canary' })).not.toThrow()
    const file = join(folder, 'key')
    writeFileSync(file, 'canary\n')
    expect(() => planSnapshots(withKey(`file://${file}`), {})).not.toThrow()
  })
})
