export const hvacPython: string
export const hashiVaultJs: string
