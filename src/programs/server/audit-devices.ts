/** The kinds of audit devices of this server, and where they may write: what the configuration allows or itself declares. */
import type { Writable } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import type { Dialer } from '../../lib/outbound/outbound.ts'
import { fileAudit } from '../../server/audit/file/file.ts'
import { httpAudit } from '../../server/audit/http/http.ts'
import { socketAudit } from '../../server/audit/socket/socket.ts'
import { syslogAudit } from '../../server/audit/syslog/syslog.ts'
import type { AuditDeviceType } from '../../server/contracts/devices.ts'
import type { AuditStanza } from './audit-stanza.ts'

export interface AuditDeviceOptions {
  /** `audit_file_directories`: files that are enabled by API lie below these. */
  readonly directories: readonly string[]
  /** `audit_destinations`: "host:port" or the path of a socket. */
  readonly destinations: readonly string[]
  /** What the configuration declares now is allowed by that. */
  readonly declared: () => readonly AuditStanza[]
  readonly stdout: Writable
  readonly clock: Clock
  readonly hostname: string
  readonly pid: number
  /** A dialer for these destinations, private addresses included: they were named one by one. */
  readonly dial: (allow: readonly string[]) => Dialer
}

/** Each kind asks anew what is allowed when it opens a device: the configuration may have been read again. */
export function createAuditDevices(options: AuditDeviceOptions): Readonly<Record<string, AuditDeviceType>> {
  const { directories, declared, stdout, clock, hostname, pid, dial } = options
  const destinations = () => [...options.destinations, ...declared().flatMap(destinationsOf)]
  const files = () =>
    declared().flatMap(({ type, options: given }) => {
      const path = given['file_path'] ?? given['path']
      return type === 'file' && path !== undefined ? [path] : []
    })
  let dialling: { readonly allow: string; readonly dialer: Dialer } | undefined
  // Devices that were opened before keep theirs.
  const dialer = () => {
    const allow = destinations().filter((known) => !known.startsWith('/'))
    if (dialling?.allow !== allow.join()) dialling = { allow: allow.join(), dialer: dial(allow) }
    return dialling.dialer
  }
  return {
    file: anew(() => fileAudit({ directories, files: files(), stdout })),
    socket: anew(() => socketAudit({ destinations: destinations(), clock })),
    syslog: anew(() => syslogAudit({ destinations: destinations(), clock, hostname, pid })),
    http: anew(() => httpAudit({ destinations: destinations(), dialer: dialer() })),
  }
}

function anew(make: () => AuditDeviceType): AuditDeviceType {
  return { ...make(), open: (options) => make().open(options) }
}

function destinationsOf({ type, options }: AuditStanza): string[] {
  if (type === 'http') {
    const { uri = '' } = options
    const url = URL.canParse(uri) ? new URL(uri) : undefined
    return url ? [`${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`] : []
  }
  if (type === 'file') return []
  return options['address'] ? [options['address'].replace(/^(udp|tcp):\/\//i, '')] : []
}
