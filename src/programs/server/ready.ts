/** Tells a supervising parent (`coffer dev`, tests) that this process serves. Nothing happens without one. */
export function announceReady(
  env: Readonly<Record<string, string | undefined>>,
  message: Readonly<Record<string, string>>,
): void {
  if (env['COFFER_SUPERVISED'] === '1') process.send?.({ type: 'ready', ...message })
}
