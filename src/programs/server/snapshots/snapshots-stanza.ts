/** `snapshots { … }`: backups that the server takes by itself. */
import { isAbsolute } from 'node:path'
import { blocks, type HclBlock, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclObject } from '../../../lib/hcl/tree.ts'
import { type Accepted, checkSettings, countOf, durationOf, oneOf, textOf } from '../configuration/settings.ts'
import { readS3, type S3Stanza, s3Settings } from './s3/s3-stanza.ts'

export interface SnapshotsStanza {
  readonly intervalMs: number
  /** How many of this cluster stay. */
  readonly keep: number
  /** A folder of its own or shared with other clusters, on whichever node leads; or a bucket. */
  readonly to: { readonly kind: 'folder'; readonly path: string } | S3Stanza
}

const minuteMs = 60_000
const defaults = { intervalMs: 24 * 60 * minuteMs, keep: 7 }

const elsewhere = 'snapshots go to a folder (path) or to S3 (aws_s3_bucket)'

const accepted: Accepted = {
  where: 'snapshots',
  read: ['path', 'interval', 'keep', 'retain', 'storage_type', ...s3Settings],
  refused: {
    bucket: 'it is called aws_s3_bucket',
    google_gcs_bucket: elsewhere,
    azure_container_name: elsewhere,
    local_max_space: 'keep bounds them by number, and min_free of the storage is always left',
    file_prefix: 'files are called coffer-<cluster>-<time>.snap',
    autoload_enabled: 'nothing is loaded beside the storage',
  },
}

/** Undefined without such a stanza. */
export function readSnapshots(document: HclObject): SnapshotsStanza | undefined {
  const [block, second] = blocks(document, 'snapshots', 0)
  if (second) throw new HclError('there are two stanzas snapshots', second)
  if (!block) return undefined
  checkSettings(block.body, accepted)
  const settings = members(block.body)
  const intervalMs = durationOf(settings['interval']) ?? defaults.intervalMs
  if (intervalMs < minuteMs) throw new HclError('"interval" must be at least 1m', settings['interval'] ?? block)
  return { intervalMs, keep: keepOf(block), to: placeOf(block) }
}

function keepOf(block: HclBlock): number {
  const { keep, retain } = members(block.body)
  if (keep && retain) throw new HclError('snapshots: retain is another name of keep, give one of them', retain)
  const count = countOf(keep ?? retain) ?? defaults.keep
  if (count < 1) throw new HclError(`"${(keep ?? retain)?.key}" must be at least 1`, keep ?? retain ?? block)
  return count
}

function placeOf(block: HclBlock): SnapshotsStanza['to'] {
  const settings = members(block.body)
  const type = oneOf(settings['storage_type'], ['local', 'aws-s3'] as const)
  const path = textOf(settings['path'])
  const ofS3 = s3Settings.flatMap((name) => settings[name] ?? [])[0]
  if (type !== 'aws-s3' && !ofS3) {
    if (!path) throw new HclError('snapshots needs a path, the folder that they go to, or aws_s3_bucket', block)
    if (!isAbsolute(path)) throw new HclError('"path" in snapshots must be absolute', settings['path'] ?? block)
    return { kind: 'folder', path }
  }
  if (path || type === 'local') {
    throw new HclError(`"${ofS3?.key ?? 'path'}" in snapshots: they go to a folder (path) or to S3, not to both`, block)
  }
  return readS3(block)
}
