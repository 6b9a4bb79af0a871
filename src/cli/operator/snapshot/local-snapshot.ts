import { type CliContext, Failure } from '../../command.ts'

/** What can be done with the file of a snapshot, without a server. Its errors say what is wrong with the file. */
export interface LocalSnapshot {
  /** Reads all of it and checks it against its own sums. `depth`: of the folders that rows are counted by. */
  inspect(file: string, depth: number): Promise<SnapshotReport>
}

export interface SnapshotReport {
  readonly id: string
  readonly size: number
  readonly index: number
  readonly term: number
  readonly version: number
  readonly takenAt: string
  readonly cofferVersion: string
  readonly clusterId: string
  readonly storage: string
  readonly kinds: readonly { readonly name: string; readonly count: number; readonly size: number }[]
}

export function localSnapshotOf({ localSnapshot }: CliContext): Promise<LocalSnapshot> {
  if (!localSnapshot) throw new Failure(1, 'this program cannot read snapshot files')
  return localSnapshot()
}
