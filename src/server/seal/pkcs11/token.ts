/** One visit to a token: load the library, find the token, log in, work, leave. */
import { type Cryptoki, type Handle, sessionFlag, tokenFlag, ulong, userType } from './cryptoki.ts'
import { attempt, returnValue, TokenFault } from './token-fault.ts'

export interface TokenPlace {
  /** The path of the maker's library. */
  readonly library: string
  /** Decimal. With a label too, both must fit. */
  readonly slot?: string
  readonly label?: string
  /** Some tokens demand such sessions for everything (AWS CloudHSM). */
  readonly readWrite: boolean
}

/** Logged in. */
export interface OpenToken {
  readonly cryptoki: Cryptoki
  readonly session: Handle
}

/** Throws TokenFault. The PIN is tried once at most, and never when it is the last try. */
export function withToken<T>(
  cryptoki: Cryptoki,
  place: TokenPlace & { readonly pin: string },
  work: (token: OpenToken) => T,
): T {
  const { library } = place
  try {
    cryptoki.load(library)
  } catch (cause) {
    throw new TokenFault(`the PKCS#11 library ${library} cannot be loaded: ${loaderWords(cause)}`, { cause })
  }
  attempt('C_Initialize of the PKCS#11 library', () => cryptoki.C_Initialize())
  try {
    const slot = findSlot(cryptoki, place)
    const flags = sessionFlag.serial | (place.readWrite ? sessionFlag.readWrite : 0)
    const session = attempt('opening a session', () => cryptoki.C_OpenSession(slot, flags))
    logIn(cryptoki, slot, session, place.pin)
    try {
      return work({ cryptoki, session })
    } finally {
      quietly(() => cryptoki.C_Logout(session))
      quietly(() => cryptoki.C_CloseSession(session))
    }
  } finally {
    quietly(() => cryptoki.C_Finalize())
    quietly(() => cryptoki.close())
  }
}

function logIn(cryptoki: Cryptoki, slot: Handle, session: Handle, pin: string): void {
  const { flags } = attempt('asking for the state of the token', () => cryptoki.C_GetTokenInfo(slot))
  if (flags & tokenFlag.userPinLocked) {
    throw new TokenFault('the PIN of the token is locked: its security officer can unlock it. It was not tried')
  }
  if (flags & tokenFlag.userPinFinalTry) {
    throw new TokenFault(
      'the token would lock itself if the PIN were wrong once more, so it was not tried: log in with the right PIN by hand (pkcs11-tool --login --test), which resets the count',
    )
  }
  try {
    cryptoki.C_Login(session, userType.user, pin)
  } catch (error) {
    if (returnValue(error) === 'CKR_USER_ALREADY_LOGGED_IN') return
    attempt('logging in to the token', () => {
      throw error
    })
  }
}

function findSlot(cryptoki: Cryptoki, place: TokenPlace): Handle {
  const present = attempt('looking for tokens', () => cryptoki.C_GetSlotList(true)).map((slot) => ({
    slot,
    number: ulong(slot).toString(),
    label: labelOf(cryptoki, slot),
  }))
  const fitting = present.filter(
    ({ number, label }) =>
      (place.slot === undefined || place.slot === number) && (place.label === undefined || place.label === label),
  )
  const [found, another] = fitting
  const wanted = [
    place.slot === undefined ? '' : ` in slot ${place.slot}`,
    place.label === undefined ? '' : ` labelled "${place.label}"`,
  ].join('')
  if (!found) {
    const others = present.map(({ number, label }) => `"${label}" in slot ${number}`).join(', ')
    throw new TokenFault(`there is no token${wanted}; present: ${others || 'none'}`)
  }
  if (another) throw new TokenFault(`there are ${fitting.length} tokens${wanted}: give the slot too`)
  return found.slot
}

/** A token that can't be asked is as good as absent: another may be the one. */
function labelOf(cryptoki: Cryptoki, slot: Handle): string {
  try {
    return cryptoki.C_GetTokenInfo(slot).label.trimEnd()
  } catch {
    return ''
  }
}

/** What the loader says names files and symbols. */
const loaderWords = (error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : 'unknown')

/** On the way out: what fails here changes no answer. */
function quietly(step: () => void): void {
  try {
    step()
  } catch {
    // The process ends next.
  }
}
