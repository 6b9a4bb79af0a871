/** `snapshots { … }`: backups that the server takes by itself. */
import { isAbsolute } from 'node:path'
import { blocks, members } from '../../../lib/hcl/read.ts'
import { HclError, type HclObject } from '../../../lib/hcl/tree.ts'
import { type Accepted, checkSettings, countOf, durationOf, textOf } from '../configuration/settings.ts'

export interface SnapshotPlan {
  /** A folder of its own or shared with other clusters, on whichever node leads. */
  readonly path: string
  readonly intervalMs: number
  /** How many of this cluster stay. */
  readonly keep: number
}

const minuteMs = 60_000
const defaults = { intervalMs: 24 * 60 * minuteMs, keep: 7 }

const accepted: Accepted = {
  where: 'snapshots',
  read: ['path', 'interval', 'keep'],
  refused: Object.fromEntries(
    ['bucket', 'aws_s3_bucket', 's3'].map((name) => [name, 'snapshots go to a folder: copy or mount it elsewhere']),
  ),
}

/** Undefined without such a stanza. */
export function readSnapshots(document: HclObject): SnapshotPlan | undefined {
  const [block, second] = blocks(document, 'snapshots', 0)
  if (second) throw new HclError('there are two stanzas snapshots', second)
  if (!block) return undefined
  checkSettings(block.body, accepted)
  const settings = members(block.body)
  const path = textOf(settings['path'])
  if (!path) throw new HclError('snapshots needs a path: the folder that they go to', block)
  if (!isAbsolute(path)) throw new HclError('"path" in snapshots must be absolute', settings['path'] ?? block)
  const intervalMs = durationOf(settings['interval']) ?? defaults.intervalMs
  if (intervalMs < minuteMs) throw new HclError('"interval" must be at least 1m', settings['interval'] ?? block)
  const keep = countOf(settings['keep']) ?? defaults.keep
  if (keep < 1) throw new HclError('"keep" must be at least 1', settings['keep'] ?? block)
  return { path, intervalMs, keep }
}
