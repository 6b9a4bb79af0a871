import { text } from '../../../sdk/envelope.ts'
import { type CommandCall, Failure } from '../../command.ts'
import { line, printDocument } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import type { KvLocation } from '../location.ts'
import { callTree, confirmed, counted, type TreeAnswer, warnSkipped } from './tree-call.ts'

/** Latest versions, or everything, below a folder. -> exit status */
export async function deleteTree(call: CommandCall, location: KvLocation, permanent: boolean): Promise<number> {
  const { versioned, mountPath, name } = location
  if (!versioned) throw new Failure(1, '-recursive is not supported on KV Version 1')
  if (name === '') throw new Failure(1, 'name a folder: all keys of an engine go with "secrets disable"')
  if (!permanent && call.flags.has('versions'))
    throw new Failure(1, '-recursive deletes latest versions: it does not go with -versions')
  const full = `${mountPath}coffer/delete`
  const body = { path: `${name}/`, permanent }
  const planned = await callTree(call, full, body, true)
  if (call.flags.on('dry-run')) return printPlan(call, planned)
  const what = permanent
    ? `${counted(planned.keys.length, 'key')} with ${counted(planned.versions, 'version')} for good`
    : `the latest version of ${counted(planned.keys.length, 'key')}`
  if (planned.keys.length === 0) {
    line(call, `Nothing to delete below ${mountPath}${name}/`)
    return warnSkipped(call, planned)
  }
  if (!call.flags.on('yes') && !(await confirmed(call.context, `Delete ${what} below ${mountPath}${name}/?`))) {
    throw new Failure(1, 'Nothing was deleted.')
  }
  const done = await callTree(call, full, body, false)
  if (call.session.format() === 'table') {
    line(call, `Success! Deleted ${counted(done.keys.length, 'key')} below: ${mountPath}${name}/`)
  } else printDocument(call, { keys: done.keys, skipped: done.skipped })
  return warnSkipped(call, done)
}

function printPlan(call: CommandCall, plan: TreeAnswer): number {
  if (call.session.format() !== 'table') {
    printDocument(call, { keys: plan.keys, skipped: plan.skipped })
    return 0
  }
  const rows = plan.keys.map((key) => [text(key['path']), String(key['versions'])])
  if (rows.length > 0) line(call, `${tableOf([['Key', 'Versions'], ...rows])}\n`)
  line(call, `${counted(plan.keys.length, 'key')} would be deleted, nothing was.`)
  warnSkipped(call, plan)
  return 0
}
