/** The number of the tables' form: a newer one is refused. */
export const tableFormat = 1
/** Of the commit function: raised with each change of its text. An older program beside this one goes on with its own. */
export const commitNumber = 3

export interface Names {
  readonly rows: string
  readonly changes: string
  readonly nodes: string
  readonly meta: string
  readonly commit: string
}

const nameForm = /^[A-Za-z_][A-Za-z0-9_]{0,40}$/

/** `table` may be "name" or "schema.name"; undefined when it is neither. */
export function tableNames(table: string): Names | undefined {
  const parts = table.split('.')
  if (parts.length > 2 || !parts.every((part) => nameForm.test(part))) return undefined
  const [name = '', schema] = [...parts].reverse()
  const quoted = (suffix: string) => `${schema === undefined ? '' : `"${schema}".`}"${name}${suffix}"`
  return {
    rows: quoted(''),
    changes: quoted('_changes'),
    nodes: quoted('_nodes'),
    meta: quoted('_meta'),
    commit: quoted(`_commit_${commitNumber}`),
  }
}
