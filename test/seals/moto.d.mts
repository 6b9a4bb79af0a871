export const motoVersion: string
export const motoPython: string
export const motoServer: string
export function missingMoto(): string | undefined
