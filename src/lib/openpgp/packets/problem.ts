/** What is wrong with somebody's key, in words that they may see. */
export class OpenpgpProblem extends Error {
  override name = 'OpenpgpProblem'
}
