import { text } from '../../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure } from '../../command.ts'
import { line, printDocument } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { locateVersioned, mountFlag } from '../location.ts'
import { callTree, confirmed, counted, type TreeAnswer, treeFlags, warnSkipped } from './tree-call.ts'

export const kvMove: Command = {
  name: 'kv move',
  summary: 'Move a key or a folder within an engine, with versions and metadata',
  args: '[options] FROM TO',
  about:
    'A key that exists at the new path is never overwritten: what would meet one stays where it is, and the command ends with 2. ' +
    'Interrupted, the same command does the rest.',
  examples: [
    { says: 'One key', run: 'kv move -mount=secret my-app/config my-app/settings' },
    { says: 'What would move with a folder?', run: 'kv move -mount=secret -recursive -dry-run my-app team/my-app' },
  ],
  flags: { ...connectionFlags, ...formatFlag, ...mountFlag, ...treeFlags },
  takes: { min: 2, max: 2 },
  run: async (call) => {
    const [typedFrom = '', typedTo = ''] = call.args
    const otherwise = 'Moving is not supported on KV Version 1'
    const from = await locateVersioned(call, typedFrom, otherwise)
    const to = await locateVersioned(call, typedTo, otherwise)
    if (from.mountPath !== to.mountPath) throw new Failure(1, 'keys move only within one engine')
    if (from.name === '') throw new Failure(1, 'name a key or a folder: an engine moves with "secrets move"')
    const tree = call.flags.on('recursive')
    const slash = tree ? '/' : ''
    const body = { from: `${from.name}${slash}`, to: `${to.name}${slash}` }
    const full = `${from.mountPath}coffer/move`
    const dryRun = call.flags.on('dry-run')
    if (dryRun || (tree && !call.flags.on('yes'))) {
      const plan = await callTree(call, full, body, true)
      if (dryRun) return printPlan(call, plan)
      const what = `${counted(plan.keys.length, 'key')} with ${counted(plan.versions, 'version')}`
      if (!(await confirmed(call.context, `Move ${what} to ${to.mountPath}${body.to}?`))) {
        throw new Failure(1, 'Nothing was moved.')
      }
    }
    return printMoved(call, await callTree(call, full, body, false), `${from.mountPath}${body.from}`)
  },
}

function printPlan(call: CommandCall, plan: TreeAnswer): number {
  if (call.session.format() !== 'table') {
    printDocument(call, { keys: plan.keys, skipped: plan.skipped })
    return 0
  }
  const rows = plan.keys.map((key) => [text(key['from']), text(key['to']), String(key['versions'])])
  if (rows.length > 0) line(call, `${tableOf([['From', 'To', 'Versions'], ...rows])}\n`)
  line(call, `${counted(plan.keys.length, 'key')} would move, nothing did.`)
  warnSkipped(call, plan)
  return 0
}

function printMoved(call: CommandCall, done: TreeAnswer, from: string): number {
  if (call.session.format() !== 'table') printDocument(call, { keys: done.keys, skipped: done.skipped })
  else if (done.keys.length > 0) {
    line(
      call,
      `Success! Moved ${counted(done.keys.length, 'key')} with ${counted(done.versions, 'version')} from: ${from}`,
    )
  } else if (done.skipped.length === 0) throw new Failure(2, `No value found at ${from}`)
  return warnSkipped(call, done)
}
