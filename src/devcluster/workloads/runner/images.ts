/** Which program stands for an image: there is no registry and no unpacking here. */
export interface ImageProgram {
  /** Runs when the container says no command (an image's ENTRYPOINT); absolute paths are the host's. */
  readonly command: readonly string[]
  /** Runs when the container says neither command nor args (an image's CMD). */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Path in the container -> the host's folder or file, shown read-only. */
  readonly mounts: Readonly<Record<string, string>>
  readonly workingDir?: string
}
/** By image name, such as "my-app:latest"; a "*" stands for anything ("hashicorp/vault:*"). */
export type ImageMap = Readonly<Record<string, ImageProgram>>

/** The agent's image has the `vault` command and a home that the injector's scripts know. */
const agentImage: ImageProgram = { command: ['vault'], args: [], env: { HOME: '/home/vault' }, mounts: {} }

/**
 * Reads `{ "<image>": { "command": [...], "args": [...], "env": {...}, "mounts": {...}, "workingDir": "..." } | { "agent": true } }`.
 * Throws with the name of the first entry that is not one.
 */
export function readImageMap(text: string): ImageMap {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new Error('the image map is no JSON')
  }
  if (!isRecord(parsed)) throw new Error('the image map is no object')
  return Object.fromEntries(Object.entries(parsed).map(([image, entry]) => [image, readProgram(image, entry)]))
}

function readProgram(image: string, entry: unknown): ImageProgram {
  const bad = (what: string) => new Error(`image map, ${JSON.stringify(image)}: ${what}`)
  if (!isRecord(entry)) throw bad('is no object')
  if (entry['agent'] === true) return agentImage
  const { command, args = [], env = {}, mounts = {}, workingDir, ...unknown } = entry
  const [extra] = Object.keys(unknown)
  if (extra !== undefined) throw bad(`unknown member ${extra}`)
  if (!isTexts(command) || command.length === 0) throw bad('command must be a list of texts')
  if (!isTexts(args)) throw bad('args must be a list of texts')
  if (!isTextMap(env)) throw bad('env must map names to texts')
  if (!isTextMap(mounts)) throw bad('mounts must map paths in the container to paths of the host')
  if (workingDir !== undefined && typeof workingDir !== 'string') throw bad('workingDir must be a text')
  return { command, args, env, mounts, ...(workingDir === undefined ? {} : { workingDir }) }
}

/** An exact name goes before patterns, a longer pattern before a shorter one. No tag means ":latest". */
export function findImage(images: ImageMap, image: string): ImageProgram | undefined {
  const name = withTag(image)
  for (const [known, program] of Object.entries(images)) {
    if (!known.includes('*') && withTag(known) === name) return program
  }
  const patterns = Object.keys(images)
    .filter((pattern) => pattern.includes('*') && matches(pattern, name))
    .sort((a, b) => b.length - a.length)
  return patterns[0] === undefined ? undefined : images[patterns[0]]
}

function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(name)
}

function withTag(image: string): string {
  const last = image.slice(image.lastIndexOf('/') + 1)
  return last.includes(':') || last.includes('@') ? image : `${image}:latest`
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
const isTextMap = (value: unknown): value is Record<string, string> =>
  isRecord(value) && Object.values(value).every((item) => typeof item === 'string')
