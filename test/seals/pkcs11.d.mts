export const pkcs11jsPath: string
export const softHsmLibrary: string
export function missingSoftHsm(): string | undefined
