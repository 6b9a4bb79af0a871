import type { ReadKey, Stored } from '../storage.ts'

/** What an entity adds to its tokens, as of the rows named in `depends`. */
export interface Standing {
  readonly disabled: boolean
  /** Of the entity and of its groups, sorted, without duplicates. */
  readonly policies: readonly string[]
  /** Fills `{{identity.…}}` in policies; undefined where there is no value. */
  template(name: string): string | undefined
  /** Rows with their versions that this rests on besides the entity's own row and the epoch `groups`. */
  readonly depends: readonly Required<ReadKey>[]
}

/** Who a login is, across auth methods. */
export interface LoginAlias {
  readonly mountAccessor: string
  readonly mountType: string
  readonly mountPath: string
  readonly name: string
  readonly metadata: Readonly<Record<string, string>>
  /** Names of external groups that the method vouches for; undefined: it says nothing about groups. */
  readonly groups?: readonly string[]
}

/** Identity as the pipeline sees it; one per namespace. */
export interface EntitySource {
  /** Storage key of an entity's row; read with each request of its tokens. */
  entityKey(entityId: string): string
  /**
   * `row`: as just read. Answers the same object while the row's version and `groupsVersion` (of the namespace's epoch
   * `groups`) stay. Throws what a damaged row throws.
   */
  standing(entityId: string, row: Stored, groupsVersion: string): Promise<Standing>
  /** The entity of the alias, made when there is none; its metadata and external groups are brought up to date. Refusal 403 for a disabled entity. */
  login(alias: LoginAlias): Promise<string>
}
