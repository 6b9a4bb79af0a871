/** An address for messages and files: a password that somebody wrote into it stays out, also of one that is no URL. */
export const shownAddress = (address: string): string =>
  address.replace(/^((?:\w[\w+.-]*:\/\/)?[^/@:]*):(?!\/\/).*@/, '$1:***@')
