/** How a container is kept to its own files: namespaces.ts or none.ts, chosen by probe.ts. */
export interface Isolation {
  readonly kind: 'namespaces' | 'none'
  /** Writes what the container needs below `plan.dir`. Throws ConfigProblem on what cannot be mounted. */
  prepare(plan: ContainerPlan): Promise<Launch>
  /** Another command in a container that runs (a preStop hook). */
  enter(launch: Launch, containerPid: number, command: readonly string[]): Promise<Launch>
}

export interface ContainerMount {
  /** Absolute, in the container. */
  readonly containerPath: string
  /** Absolute, on the host; a folder or a file. */
  readonly hostPath: string
  readonly readOnly: boolean
}
export interface ContainerPlan {
  /** The container's own folder; exists, and nobody else uses it. */
  readonly dir: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir: string
  readonly mounts: readonly ContainerMount[]
  readonly readOnlyRoot: boolean
}
/** What to start. Secrets are in `env` at most, never in `argv` unless the pod's author put them there. */
export interface Launch {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

/** What every container gets to see: Node.js and this build. */
export interface Provided {
  /** The node executable. */
  readonly node: string
  /** Holds coffer.js and bin/vault. */
  readonly buildDir: string
}
