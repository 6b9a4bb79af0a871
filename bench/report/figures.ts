/** Numbers for people, and where a long measurement is. */

export const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Not a number when there is nothing to compare with: that holds no limit. */
export const ratioOf = (one: number, other: number) => (other > 0 ? one / other : Number.NaN)

export const shownRate = (perSecond: number) => `${Math.round(perSecond).toLocaleString('en-US')}/s`
export const shownMs = (ms: number) => (ms < 9.95 ? ms.toFixed(1) : ms.toFixed(0))

export interface Progress {
  /** What is under way: replaces what was shown before on a terminal, else it is left out. */
  step(text: string): void
  /** Stays. */
  note(text: string): void
  /** What follows is part so many of so many. */
  part(number: number, of: number, title: string): void
  end(): void
}

/** To stderr: stdout is for results. */
export function progressTo(stream: NodeJS.WriteStream): Progress {
  let place = ''
  const clear = stream.isTTY ? '\r\x1b[K' : ''
  const line = (text: string) => stream.write(`${clear}${text}\n`)
  return {
    step: (text) => {
      if (stream.isTTY) stream.write(`${clear}${place}${text}`.slice(0, (stream.columns ?? 80) + clear.length - 1))
    },
    note: (text) => line(`${place}${text}`),
    part(number, of, title) {
      place = `[${number}/${of}] `
      line(`${place}${title}`)
    },
    end: () => stream.write(clear),
  }
}
