import { parseGoDuration } from '../../lib/duration.ts'
import { parseGoBool } from '../../lib/go-bool.ts'

/** Why a pod is refused. `message` is the field's text; `hint` names the annotation where that text does not. */
export class Denial extends Error {
  override name = 'Denial'
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/** strconv.ParseBool, with "" as false (the injector's rule). */
export function goBool(text: string): boolean {
  const read = text === '' ? false : parseGoBool(text)
  if (read === undefined) throw new Denial(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
  return read
}

export function goUint(text: string): number {
  if (!/^\d+$/.test(text)) throw new Denial(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

export function goInt(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new Denial(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

export function goFloat(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value)) {
    throw new Denial(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
  }
  return value
}

/** Passed on as it is; only checked. */
export function goDuration(text: string): string {
  if (text !== '' && parseGoDuration(text) === undefined) {
    throw new Denial(`time: invalid duration ${JSON.stringify(text)}`)
  }
  return text
}

/** A Kubernetes quantity, only checked: "500m", "64Mi", "1". */
export function quantity(text: string): string {
  if (!/^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/.test(text)) {
    throw new Denial("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
  }
  return text
}

/** Puts the field's words for the stage in front of a denial, and the annotation's name beside it. */
export function during<T>(stage: string, annotation: string | undefined, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Denial)) throw error
    const message = stage === '' ? error.message : `${stage}: ${error.message}`
    throw new Denial(message, error.hint ?? annotation)
  }
}
