import { compareUtf8, stringifyJson } from '../../../lib/json/stringify.ts'
import type { Json, JsonObject } from '../../../lib/json/value.ts'
import { isObject } from '../../../sdk/envelope.ts'
import { type Command, type CommandCall, Failure } from '../../command.ts'
import { goValue } from '../../output/go-value.ts'
import { line, printDocument } from '../../output/secret.ts'
import { tableOf } from '../../output/table.ts'
import { connectionFlags, formatFlag } from '../../session.ts'
import { dataOf, readVersion } from '../current.ts'
import { apiPath, locateVersioned, mountFlag } from '../location.ts'
import { versionNumbers, versionsFlag } from './numbers.ts'

export const kvDiff: Command = {
  name: 'kv diff',
  summary: 'What changed between two versions of a secret',
  args: '[options] PATH',
  about: 'Without -versions the latest version and the one before. Values are shown only with -show-values.',
  examples: [
    { says: 'What did the last write change?', run: 'kv diff -mount=secret my-app/config' },
    {
      says: 'Between versions 1 and 4, with values',
      run: 'kv diff -mount=secret -versions=1,4 -show-values my-app/config',
    },
  ],
  flags: {
    ...connectionFlags,
    ...formatFlag,
    ...mountFlag,
    ...versionsFlag,
    'show-values': { kind: 'bool', about: 'Print the values too.' },
  },
  takes: { min: 1, max: 1 },
  run: async (call) => {
    const numbers = versionNumbers(call).map(Number)
    if (numbers.length !== 0 && numbers.length !== 2) throw new Failure(1, 'give two versions: -versions=1,4')
    const location = await locateVersioned(call, call.args[0] ?? '', 'Versions are not supported on KV Version 1')
    const full = apiPath(location, 'data')
    const [from, to] = numbers.length === 2 ? numbers : await lastTwo(call, full)
    const [before, after] = [await dataAt(call, full, from), await dataAt(call, full, to)]
    print(call, differences(before, after), [from ?? 0, to ?? 0])
    return 0
  },
}

async function lastTwo(call: CommandCall, full: string): Promise<readonly number[]> {
  const { metadata } = await readVersion(call, full, 'diff')
  const latest = Number(metadata['version'])
  if (latest < 2) throw new Failure(2, `There is only one version at ${full}`)
  return [latest - 1, latest]
}

async function dataAt(call: CommandCall, full: string, version: number | undefined): Promise<JsonObject> {
  return dataOf(await readVersion(call, full, 'diff', version), full, 'diff')
}

export interface Difference {
  /** Names of nested objects with "." between. */
  readonly key: string
  readonly change: 'added' | 'removed' | 'changed'
  readonly from?: Json
  readonly to?: Json
}

/** By name, in byte order; objects on both sides are compared member by member. */
export function differences(before: JsonObject, after: JsonObject, prefix = ''): readonly Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(compareUtf8)
  return names.flatMap((name): readonly Difference[] => {
    const key = prefix + name
    const [from, to] = [before[name], after[name]]
    if (from === undefined) return to === undefined ? [] : [{ key, change: 'added', to }]
    if (to === undefined) return [{ key, change: 'removed', from }]
    if (isObject(from) && isObject(to)) return differences(from, to, `${key}.`)
    return stringifyJson(from) === stringifyJson(to) ? [] : [{ key, change: 'changed', from, to }]
  })
}

function print(call: CommandCall, found: readonly Difference[], versions: readonly [number, number]): void {
  const shown = call.flags.on('show-values')
  if (call.session.format() !== 'table') {
    const hidden = found.map(({ key, change, from, to }) => ({
      key,
      change,
      ...(shown && from !== undefined && { from }),
      ...(shown && to !== undefined && { to }),
    }))
    printDocument(call, { from_version: versions[0], to_version: versions[1], changes: hidden })
    return
  }
  if (found.length === 0) {
    line(call, `No differences between versions ${versions[0]} and ${versions[1]}.`)
    return
  }
  const heads = ['Key', 'Change', ...(shown ? versions.map((version) => `Version ${version}`) : [])]
  const cell = (value: Json | undefined) => (value === undefined ? '' : goValue(value))
  const rows = found.map(({ key, change, from, to }) => [key, change, ...(shown ? [cell(from), cell(to)] : [])])
  line(call, tableOf([heads, ...rows]))
}
