export interface PinnedControlPlane {
  readonly version: string
  readonly minor: string
  readonly modFile: string
  readonly digest: string
  readonly folder: string
}
export const programs: readonly string[]
export const controlPlanes: readonly PinnedControlPlane[]
export function isBuilt(plane: PinnedControlPlane): boolean
