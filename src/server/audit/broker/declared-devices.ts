import { Refusal } from '../../contracts/request.ts'
import type { DeviceRow } from './audit-rows.ts'
import { devicePath, type EnableOptions } from './device-table.ts'

/** A device of the server's configuration. */
export interface DeclaredDevice extends EnableOptions {
  readonly path: string
}

interface Wanted {
  /** With its trailing slash. */
  readonly device: DeclaredDevice
  readonly fallback: boolean
  /** It is there already, and writes to the same place. */
  readonly same: boolean
}

/** `before`: what is there; `fallbackOf` throws for wrong options. Refusal 400: two cannot be there at once. */
export function declaredDevices(
  devices: readonly DeclaredDevice[],
  before: readonly (readonly [path: string, row: DeviceRow])[],
  fallbackOf: (device: DeclaredDevice) => boolean,
): Wanted[] {
  const paths = devices.map(({ path }) => devicePath(path))
  const staying = before.filter(([path, row]) => !row.declared && !paths.includes(path)).map(([path]) => path)
  return devices.map((device, i) => {
    const path = devicePath(device.path)
    const others = [...staying, ...paths.filter((_, at) => at !== i)]
    const other = others.find((known) => known.startsWith(path) || path.startsWith(known))
    if (other !== undefined) {
      throw new Refusal(
        400,
        `path already in use: the audit device ${path} of the configuration is in the way of ${other}, give one of them another path`,
      )
    }
    const row = before.find(([known]) => known === path)?.[1]
    const same = row?.type === device.type && textOf(row.options) === textOf(device.options ?? {})
    return { device: { ...device, path }, fallback: fallbackOf(device), same }
  })
}

const textOf = (options: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(options).sort())
