/** Lets other requests run: between the pages of work whose size clients decide. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
