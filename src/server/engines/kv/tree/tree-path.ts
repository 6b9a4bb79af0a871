import { Refusal } from '../../../contracts/request.ts'
import { isKeyTooLong } from '../../../contracts/row-size.ts'
import { versionRow } from '../keys/key-row.ts'

/** One key ("team/app") or, with a slash at its end, everything below a folder ("team/"). Refusal 400 for what no key can have. */
export interface TreePath {
  readonly path: string
  readonly isFolder: boolean
}

const control = /\p{Cc}/u

export function treePath(name: string, given: string | undefined): TreePath {
  const path = (given ?? '').replace(/^\//, '')
  if (path === '')
    throw new Refusal(400, `${name} is required: a key ("team/app") or a folder with its slash ("team/")`)
  checkPath(name, path)
  return { path, isFolder: path.endsWith('/') }
}

/** Where a tree goes to: '' and "/" are the mount's root. */
export function targetPath(name: string, given: string | undefined): TreePath {
  if (given === undefined) throw new Refusal(400, `${name} is required: where the key or folder moves to`)
  const path = given.replace(/^\//, '')
  if (path !== '') checkPath(name, path)
  return { path, isFolder: path === '' || path.endsWith('/') }
}

function checkPath(name: string, path: string): void {
  if (control.test(path)) throw new Refusal(400, `${name} must not contain control characters`)
  const segments = path.replace(/\/$/, '').split('/')
  if (segments.some((segment) => segment === ''))
    throw new Refusal(400, `${name} must not contain empty segments ('//')`)
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw new Refusal(400, 'relative paths not supported')
}

/** Whether every row of a key of this path has a name that storage takes. */
export function fits(prefix: string, path: string): boolean {
  return !isKeyTooLong(prefix + versionRow(path, 1_000_000_000))
}
