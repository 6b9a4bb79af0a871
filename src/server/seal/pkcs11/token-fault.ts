/** Why a token did not do what it was asked, in words. `pin`: the PIN was tried and refused; trying it again may lock the token. */
export class TokenFault extends Error {
  readonly pin: boolean

  constructor(message: string, options: { readonly pin?: boolean; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TokenFault'
    this.pin = options.pin ?? false
  }
}

const away = 'the token does not answer (was it removed, or is the HSM down?)'
const unknownMechanism =
  'the token cannot do this with this key: choose another mechanism or, for RSA, another rsa_oaep_hash'

const words: Readonly<Record<string, string>> = {
  CKR_DEVICE_ERROR: away,
  CKR_DEVICE_REMOVED: away,
  CKR_TOKEN_NOT_PRESENT: away,
  CKR_SESSION_CLOSED: 'the token ended the session',
  CKR_SESSION_HANDLE_INVALID: 'the token ended the session',
  CKR_SESSION_COUNT: 'the token has too many sessions already',
  CKR_TOKEN_NOT_RECOGNIZED: 'the token is not initialised',
  CKR_USER_PIN_NOT_INITIALIZED: 'the token has no user PIN yet',
  CKR_USER_NOT_LOGGED_IN: 'the token ended the login',
  CKR_KEY_FUNCTION_NOT_PERMITTED: 'the key may not be used for this (CKA_ENCRYPT, CKA_DECRYPT)',
  CKR_MECHANISM_INVALID: unknownMechanism,
  CKR_MECHANISM_PARAM_INVALID: unknownMechanism,
  CKR_ARGUMENTS_BAD: unknownMechanism,
}

const pinWords: Readonly<Record<string, string>> = {
  CKR_PIN_INCORRECT: 'the PIN is wrong',
  CKR_PIN_INVALID: 'the PIN has characters that the token does not take',
  CKR_PIN_LEN_RANGE: 'the PIN has a length that the token does not take',
  CKR_PIN_EXPIRED: 'the PIN has expired',
  CKR_PIN_LOCKED: 'the PIN is locked: the security officer of the token can unlock it',
}

/** The CKR_… name of an error from the library. */
export function returnValue(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return /^CKR_\w+/.exec(error.message)?.[0]
}

/** `doing`: "logging in". Nothing that the library says beyond its return value is passed on: it may hold anything. */
export function tokenFault(doing: string, cause: unknown): TokenFault {
  if (cause instanceof TokenFault) return cause
  const value = returnValue(cause)
  if (value === undefined) return new TokenFault(`${doing} failed`, { cause })
  const pin = pinWords[value]
  const said = pin ?? words[value]
  return new TokenFault(`${doing} failed: ${said ? `${said} (${value})` : value}`, { pin: pin !== undefined, cause })
}

/** Runs a step and says what it was when it fails. */
export function attempt<T>(doing: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    throw tokenFault(doing, error)
  }
}
