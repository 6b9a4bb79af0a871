// The security officer's work on a token, in a process of its own: node token-admin.cjs <library> <token> <pin> <act> …
// with NODE_PATH and SOFTHSM2_CONF set. Acts: aes <label> <id> <value in hex>, rsa <label> <id>, delete <label>.
const pkcs11 = require('pkcs11js')

const [library, name, pin, act, label, id, value] = process.argv.slice(2)
const hsm = new pkcs11.PKCS11()
hsm.load(library)
hsm.C_Initialize()
const slot = hsm.C_GetSlotList(true).find((one) => hsm.C_GetTokenInfo(one).label.trimEnd() === name)
const session = hsm.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION)
hsm.C_Login(session, pkcs11.CKU_USER, pin)

const kept = [
  { type: pkcs11.CKA_TOKEN, value: true },
  { type: pkcs11.CKA_LABEL, value: label },
]
const identified = () => ({ type: pkcs11.CKA_ID, value: Buffer.from(id, 'hex') })
const secret = [
  { type: pkcs11.CKA_PRIVATE, value: true },
  { type: pkcs11.CKA_SENSITIVE, value: true },
]
const acts = {
  aes: () =>
    hsm.C_CreateObject(session, [
      { type: pkcs11.CKA_CLASS, value: pkcs11.CKO_SECRET_KEY },
      { type: pkcs11.CKA_KEY_TYPE, value: pkcs11.CKK_AES },
      ...kept,
      ...secret,
      identified(),
      { type: pkcs11.CKA_ENCRYPT, value: true },
      { type: pkcs11.CKA_DECRYPT, value: true },
      { type: pkcs11.CKA_VALUE, value: Buffer.from(value, 'hex') },
    ]),
  rsa: () =>
    hsm.C_GenerateKeyPair(
      session,
      { mechanism: pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN },
      [
        ...kept,
        identified(),
        { type: pkcs11.CKA_ENCRYPT, value: true },
        { type: pkcs11.CKA_MODULUS_BITS, value: 2048 },
        { type: pkcs11.CKA_PUBLIC_EXPONENT, value: Buffer.from([1, 0, 1]) },
      ],
      [...kept, ...secret, identified(), { type: pkcs11.CKA_DECRYPT, value: true }],
    ),
  delete: () => {
    hsm.C_FindObjectsInit(session, [{ type: pkcs11.CKA_LABEL, value: label }])
    const found = hsm.C_FindObjects(session, 10)
    hsm.C_FindObjectsFinal(session)
    for (const object of found) hsm.C_DestroyObject(session, object)
    if (found.length === 0) throw new Error(`no ${label}`)
  },
}
acts[act]()
hsm.C_Logout(session)
hsm.C_Finalize()
