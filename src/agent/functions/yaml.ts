import { printValue } from '../../gotemplate/fmt/format.ts'
import { sortedKeys } from '../../gotemplate/go-string.ts'
import { GoStruct, isList, isMap, type Value } from '../../gotemplate/value.ts'

/** YAML as go-yaml 2 lays it out (sorted keys, lists not indented, no end of line at the end); every reader gets the same data. */
export const toYaml = (value: Value): string => block(value, 0).replace(/^\n/, '').trim()

function block(value: Value, depth: number): string {
  const pad = '  '.repeat(depth)
  if (isList(value) && value.length > 0) {
    return `\n${value.map((item) => `${pad}- ${nested(item, depth + 1)}`).join('\n')}`
  }
  const map = value instanceof GoStruct ? value.fields : value
  if (isMap(map) && map.size > 0) {
    const lines = sortedKeys(map).map((key) => {
      const item = map.get(key)
      const text = block(item, isList(item) ? depth : depth + 1)
      return `${pad}${scalar(key)}:${text.startsWith('\n') ? text : ` ${text}`}`
    })
    return `\n${lines.join('\n')}`
  }
  if (typeof value === 'string' && hasFirstLine(value) && isPlainBlock(value)) return literal(value, pad)
  return scalar(value)
}

/** Inside "- " the first line stands right behind the dash. */
const nested = (item: Value, depth: number): string => block(item, depth).replace(/^\n */, '')

/** More lines than one, and the first is not blank (which would need an indentation mark). */
const hasFirstLine = (s: string) => s.includes('\n') && s.slice(0, s.indexOf('\n')).trim() !== ''

const isPlainBlock = (s: string) => !/^[ \t]|[^\n\t\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]/.test(s)

function literal(s: string, pad: string): string {
  const ends = /\n*$/.exec(s)?.[0].length ?? 0
  const mark = ends === 0 ? '|-' : ends === 1 ? '|' : '|+'
  const body = ends > 0 ? s.slice(0, -1) : s
  const lines = body.split('\n').map((line) => (line === '' ? '' : `${pad || '  '}${line}`))
  return `${mark}\n${lines.join('\n')}`
}

function scalar(value: Value): string {
  if (value === undefined || value === null) return 'null'
  if (isList(value)) return '[]'
  if (isMap(value) || value instanceof GoStruct) return '{}'
  if (typeof value !== 'string') return printValue(value)
  if (isPlain(value)) return value
  if (/^[\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]*$/.test(value) && !/^[ ]|[ ]$|\\/.test(value) && !looksTyped(value)) {
    return `'${value.replaceAll("'", "''")}'`
  }
  return JSON.stringify(value)
}

/** Safe without quotes in YAML 1.1 and 1.2. */
const isPlain = (s: string) =>
  /^[A-Za-z_/][A-Za-z0-9_./+=@-]*(?: [A-Za-z0-9_./+=@(-][A-Za-z0-9_./+=@()-]*)*$/.test(s) && !looksTyped(s)

const looksTyped = (s: string) =>
  s === '' ||
  /^(?:~|null|y|n|yes|no|on|off|true|false|\.inf|\.nan|<<|=)$/i.test(s) ||
  /^[-+]?(?:[0-9][0-9_.,:]*|\.[0-9])/.test(s)
