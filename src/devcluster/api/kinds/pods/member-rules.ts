/** Rules that pods and their containers share. */
import { type FieldProblem, invalid, notSupported, required } from '../../field-problem.ts'
import { listAt, numberAt, type Tree, textAt, treeAt } from '../../tree.ts'

export function choice(value: unknown, member: string, path: string, supported: readonly string[]): FieldProblem[] {
  const chosen = textAt(value, member)
  if (chosen === undefined || chosen === '') return [required(`${path}.${member}`)]
  return supported.includes(chosen) ? [] : [notSupported(`${path}.${member}`, chosen, supported)]
}

/** Users and groups are numbers of Linux. */
export function identityProblems(context: Tree | undefined, path: string): FieldProblem[] {
  const fits = (id: number) => id >= 0 && id < 2 ** 31
  const out = ['fsGroup', 'runAsUser', 'runAsGroup'].flatMap((member) => {
    const id = numberAt(context, member)
    return id === undefined || fits(id) ? [] : [invalid(`${path}.${member}`, id, idRange)]
  })
  for (const [index, id] of listAt(context, 'supplementalGroups').entries())
    if (typeof id === 'number' && !fits(id)) out.push(invalid(`${path}.supplementalGroups[${index}]`, id, idRange))
  return [...out, ...seccompProblems(context, `${path}.seccompProfile`)]
}

function seccompProblems(context: Tree | undefined, path: string): FieldProblem[] {
  const profile = treeAt(context, 'seccompProfile')
  if (!profile) return []
  const type = textAt(profile, 'type') ?? ''
  const types = ['Localhost', 'RuntimeDefault', 'Unconfined']
  const file = textAt(profile, 'localhostProfile')
  if (type === '') return [required(`${path}.type`, 'type is required when seccompProfile is set')]
  const out = types.includes(type) ? [] : [notSupported(`${path}.type`, type, types)]
  if (type === 'Localhost' && file === undefined)
    out.push(required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost'))
  if (type !== 'Localhost' && file !== undefined)
    // As Go prints the struct, which has no names for JSON.
    out.push(
      invalid(
        `${path}.localhostProfile`,
        { Type: type, LocalhostProfile: file },
        'can only be set when seccomp type is Localhost',
      ),
    )
  return out
}

/** Of a container: who gives all rights can't hold one back. The value as Go prints the struct, which has no names for JSON. */
export function privilegeProblems(context: Tree | undefined, path: string): FieldProblem[] {
  if (context?.['allowPrivilegeEscalation'] !== false) return []
  const shown = Object.fromEntries(
    contextMembers.map((member) => {
      const value = context[member.replace(/^(SE|[A-Z])/, (start) => start.toLowerCase())]
      return [member, value ?? null]
    }),
  )
  const escalates = (what: string) =>
    invalid(path, shown, `cannot set \`allowPrivilegeEscalation\` to false and ${what}`)
  const added = listAt(context, 'capabilities', 'add').filter((name) => name === 'CAP_SYS_ADMIN')
  return [
    ...(context['privileged'] === true ? [escalates('`privileged` to true')] : []),
    ...added.map(() => escalates('`capabilities.Add` CAP_SYS_ADMIN')),
  ]
}

const contextMembers = [
  ...['Capabilities', 'Privileged', 'SELinuxOptions', 'WindowsOptions', 'RunAsUser', 'RunAsGroup', 'RunAsNonRoot'],
  ...['ReadOnlyRootFilesystem', 'AllowPrivilegeEscalation', 'ProcMount', 'SeccompProfile', 'AppArmorProfile'],
]

const idRange = 'must be between 0 and 2147483647, inclusive'
