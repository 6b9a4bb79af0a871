import { readFileSync } from 'node:fs'

/** "env://NAME", "file:///path", or the bytes themselves. Throws an Error that names `where`, never the value. */
export function readSource(
  source: string,
  where: string,
  env: Readonly<Record<string, string | undefined>>,
): Uint8Array {
  if (source.startsWith('env://')) {
    const name = source.slice('env://'.length)
    const value = env[name]
    if (!value) throw new Error(`${where}: the environment has no ${name}`)
    return Buffer.from(value)
  }
  if (!source.startsWith('file://')) return Buffer.from(source)
  const path = source.slice('file://'.length)
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Error(`${where}: the file ${path} cannot be read`, { cause })
  }
}
