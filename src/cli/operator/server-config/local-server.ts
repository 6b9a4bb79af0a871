/** What a check of a server's configuration found; members as Vault prints them. */
export interface Finding {
  readonly name: string
  readonly status: 'ok' | 'warn' | 'error' | 'skipped'
  readonly message?: string
  readonly warnings?: readonly string[]
  readonly advice?: string
  readonly children?: readonly Finding[]
}

/** Checks of a server that would run on this machine; never rejects: what fails is a finding. */
export interface LocalServer {
  /** Reads the files, and nothing that they name. */
  validate(configs: readonly string[]): Promise<Finding>
  /** Tries all that a start needs. `skip`: 'listener', 'storage', 'autounseal'. */
  diagnose(configs: readonly string[], options: { skip: readonly string[]; signal: AbortSignal }): Promise<Finding>
}
