import type { Clock } from '../../../lib/clock.ts'
import type { RandomBytes } from '../../../lib/random.ts'
import type { SpoolPlace } from '../../../server/snapshots/spool.ts'
import { hushAwsSdk } from '../../process.ts'
import { readSource } from '../seal/key-source.ts'
import { openS3, type S3Target } from './s3/open-s3.ts'
import { S3Place } from './s3/s3-place.ts'
import type { S3Stanza } from './s3/s3-stanza.ts'
import { SnapshotFolder } from './snapshot-folder.ts'
import type { SnapshotPlace } from './snapshot-names.ts'
import type { SnapshotsStanza } from './snapshots-stanza.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface SnapshotPlan extends Pick<SnapshotsStanza, 'intervalMs' | 'keep'> {
  open(parts: PlaceParts): SnapshotPlace
}

export interface PlaceParts {
  readonly clusterId: string
  readonly clock: Clock
  readonly random: RandomBytes
  readonly spoolPlace: SpoolPlace
  readonly maxValueBytes: number
}

/** Nothing is asked of the place yet. Throws an Error that names the setting whose value cannot be read, never a credential. */
export function planSnapshots({ to, ...plan }: SnapshotsStanza, env: Env): SnapshotPlan {
  if (to.kind === 'folder') return { ...plan, open: (parts) => new SnapshotFolder({ ...parts, path: to.path }) }
  credentialsOf(to, env)?.()
  hushAwsSdk()
  const target = targetOf(to, env)
  const { bucket, prefix } = to
  return { ...plan, open: (parts) => new S3Place({ ...parts, bucket, prefix, open: () => openS3(target) }) }
}

function targetOf(stanza: S3Stanza, env: Env): S3Target {
  const { bucket, endpoint, encryption, pathStyle } = stanza
  const credentials = credentialsOf(stanza, env)
  // Whoever has S3 without AWS has no regions, but signatures need one.
  const region = stanza.region || env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || (endpoint ? 'us-east-1' : undefined)
  return {
    bucket,
    client: {
      ...(region ? { region } : {}),
      ...(endpoint ? { endpoint } : {}),
      forcePathStyle: pathStyle,
      ...(credentials ? { credentials: async () => credentials() } : {}),
    },
    ...(encryption ? { encryption } : {}),
  }
}

/** Read anew for each snapshot: files change. */
function credentialsOf({ accessKey, secretKey, sessionToken }: S3Stanza, env: Env) {
  if (accessKey === undefined || secretKey === undefined) return undefined
  const text = (source: string, name: string) =>
    Buffer.from(readSource(source, `snapshots: ${name}`, env))
      .toString('utf8')
      .trim()
  return () => ({
    accessKeyId: text(accessKey, 'aws_access_key_id'),
    secretAccessKey: text(secretKey, 'aws_secret_access_key'),
    ...(sessionToken === undefined ? {} : { sessionToken: text(sessionToken, 'aws_session_token') }),
  })
}
