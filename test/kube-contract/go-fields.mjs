// For make-builtin-types.mjs: what Go writes of a value that nobody set, read from the struct tags of k8s.io/api and its kin.
import { existsSync, readFileSync } from 'node:fs'

/** `modules`: the folder that holds api@<version>, apimachinery@<version>, apiextensions-apiserver@<version>. */
export function goFields(modules, version) {
  const files = new Map()
  const structsOf = (folder) => {
    if (!files.has(folder))
      files.set(folder, existsSync(`${folder}/types.go`) ? parse(`${folder}/types.go`) : new Map())
    return files.get(folder)
  }
  const folderOf = (group, of) => {
    if (group === 'meta') return `${modules}/apimachinery@${version}/pkg/apis/meta/${of}`
    if (group === 'apiextensions') return `${modules}/apiextensions-apiserver@${version}/pkg/apis/apiextensions/${of}`
    return `${modules}/api@${version}/${group}/${of}`
  }
  const collect = (folder, name, out) => {
    for (const field of structsOf(folder).get(name) ?? []) {
      if (!field.inline) out.set(field.name, field)
      else if (!field.type.includes('.')) collect(folder, field.type, out)
    }
    return out
  }
  return (group, of, kind) => collect(folderOf(group, of), kind, new Map())
}

function parse(file) {
  const structs = new Map()
  let fields
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const head = /^type (\w+) struct \{/.exec(line)
    if (head) {
      fields = []
      structs.set(head[1], fields)
    } else if (line.startsWith('}')) {
      fields = undefined
    } else if (fields) {
      const found = /^\t(?:(\w+)\s+)?(\S+)\s+`json:"([^"]*)"/.exec(line)
      if (!found) continue
      const [name, ...options] = found[3].split(',')
      fields.push({
        name,
        type: found[2],
        inline: name === '' && options.includes('inline'),
        pointer: /^(\*|\[\]|map\[)/.test(found[2]),
        omitEmpty: options.includes('omitempty'),
        omitZero: options.includes('omitzero'),
      })
    }
  }
  return structs
}
