/** What is used of PKCS#11 (v2.40, OASIS), as the package pkcs11js has it: synchronous, handles as buffers, errors that carry the CKR code. */

/** An unsigned long in the machine's byte order. */
export type Handle = Buffer

export interface Attribute {
  readonly type: number
  readonly value?: number | boolean | string | Buffer
}

export interface Mechanism {
  readonly mechanism: number
  readonly parameter: Readonly<Record<string, number | Buffer>>
}

export interface Cryptoki {
  load(library: string): void
  close(): void
  C_Initialize(): void
  C_Finalize(): void
  C_GetSlotList(tokenPresent: boolean): Handle[]
  /** `label` is padded with blanks. */
  C_GetTokenInfo(slot: Handle): { readonly label: string; readonly flags: number }
  C_OpenSession(slot: Handle, flags: number): Handle
  C_CloseSession(session: Handle): void
  C_Login(session: Handle, user: number, pin: string): void
  C_Logout(session: Handle): void
  C_FindObjectsInit(session: Handle, template: Attribute[]): void
  C_FindObjects(session: Handle, most: number): Handle[]
  C_FindObjectsFinal(session: Handle): void
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    template: Attribute[],
  ): { readonly type: number; readonly value: Buffer }[]
  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  /** Answers the part of `into` that was written. */
  C_Encrypt(session: Handle, data: Buffer, into: Buffer): Buffer
  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Decrypt(session: Handle, data: Buffer, into: Buffer): Buffer
}

export const sessionFlag = { readWrite: 2, serial: 4 } as const
export const userType = { user: 1 } as const
export const tokenFlag = { userPinFinalTry: 0x20000, userPinLocked: 0x40000 } as const
export const objectClass = { publicKey: 2, privateKey: 3, secretKey: 4 } as const
export const keyType = { rsa: 0, aes: 0x1f } as const
export const attribute = {
  class: 0,
  label: 3,
  keyType: 0x100,
  id: 0x102,
  encrypt: 0x104,
  decrypt: 0x105,
  modulus: 0x120,
  publicExponent: 0x122,
} as const
export const mechanismCode = { CKM_RSA_PKCS_OAEP: 9, CKM_AES_GCM: 0x1087 } as const

/** By the hash's name: CKM_…, CKG_MGF1_…. */
export const oaepHashes = {
  sha1: { hashAlg: 0x220, mgf: 1 },
  sha224: { hashAlg: 0x255, mgf: 5 },
  sha256: { hashAlg: 0x250, mgf: 2 },
  sha384: { hashAlg: 0x260, mgf: 3 },
  sha512: { hashAlg: 0x270, mgf: 4 },
} as const
export type OaepHash = keyof typeof oaepHashes
export const isOaepHash = (name: string): name is OaepHash => Object.hasOwn(oaepHashes, name)

export const gcm = { nonceBytes: 12, tagBytes: 16 } as const

/** The parameters' kinds are pkcs11js's own numbers: CK_PARAMS_AES_GCM_v240 and CK_PARAMS_RSA_OAEP. */
export const gcmMechanism = (nonce: Buffer, additional: Buffer): Mechanism => ({
  mechanism: mechanismCode.CKM_AES_GCM,
  parameter: { type: 7, iv: nonce, ivBits: gcm.nonceBytes * 8, aad: additional, tagBits: gcm.tagBytes * 8 },
})
export const oaepMechanism = (hash: OaepHash): Mechanism => ({
  mechanism: mechanismCode.CKM_RSA_PKCS_OAEP,
  parameter: { type: 4, ...oaepHashes[hash], source: 1 },
})

/** Unsigned longs, as attributes and handles have them (little-endian on all that Coffer supports). */
export const ulong = (bytes: Buffer): bigint =>
  bytes.length >= 8 ? bytes.readBigUInt64LE() : BigInt(bytes.readUInt32LE())
