import type { Json } from '../../../lib/json/value.ts'
import { type CommandCall, Failure } from '../../command.ts'
import { jsonText } from '../../output/documents.ts'
import { line } from '../../output/secret.ts'
import type { Finding, LocalServer } from './local-server.ts'

const shown = { ok: '[ success ]', warn: '[ warning ]', error: '[ failure ]', skipped: '[ skipped ]' } as const

/** Vault's: 0 well, 2 with warnings, 1 not; 3 is wrong use. */
const statuses = { ok: 0, skipped: 0, warn: 2, error: 1 } as const

export const configFlag = {
  config: { kind: 'list', about: 'File or folder of the server; may be repeated.' },
  format: { kind: 'text', about: 'table (default) or json.' },
} as const

/** The files of -config, and who looks at them. Failure 3 for wrong use, as Vault has it. */
export async function serverOf(call: CommandCall): Promise<{ configs: readonly string[]; server: LocalServer }> {
  const configs = call.flags.list('config')
  if (configs.length === 0) throw new Failure(3, 'Must specify a configuration file using -config.')
  const format = call.flags.text('format') ?? 'table'
  if (format !== 'table' && format !== 'json') throw new Failure(3, `Invalid output format: ${format} (table or json)`)
  const { localServer } = call.context
  if (!localServer) throw new Failure(4, 'this build has no server')
  return { configs, server: await localServer() }
}

/** -> exit status */
export function printFinding(call: CommandCall, finding: Finding): number {
  if (call.flags.text('format') === 'json') line(call, jsonText(jsonOf(finding)))
  else for (const text of linesOf(finding, '')) line(call, text)
  return statuses[finding.status]
}

/** The worst of them. */
export const worst = (findings: readonly Finding[]): Finding['status'] =>
  findings.some(({ status }) => status === 'error')
    ? 'error'
    : findings.some(({ status }) => status === 'warn')
      ? 'warn'
      : 'ok'

function linesOf(finding: Finding, indent: string): string[] {
  const { name, status, message, warnings = [], advice, children = [] } = finding
  const inner = `${indent}  `
  return [
    `${indent}${shown[status]} ${name}${message === undefined ? '' : `: ${message}`}`,
    ...warnings.map((text) => `${inner}${shown.warn} ${text}`),
    ...(advice === undefined ? [] : [`${inner}${advice}`]),
    ...children.flatMap((child) => linesOf(child, inner)),
  ]
}

const jsonOf = ({ name, status, message, warnings, advice, children }: Finding): Json => ({
  name,
  status,
  ...(message === undefined ? {} : { message }),
  ...(warnings === undefined || warnings.length === 0 ? {} : { warnings: [...warnings] }),
  ...(advice === undefined ? {} : { advice }),
  ...(children === undefined || children.length === 0 ? {} : { children: children.map(jsonOf) }),
})
