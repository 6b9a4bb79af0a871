/** One word for /bin/sh, whatever is in it. */
export const shellQuote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
