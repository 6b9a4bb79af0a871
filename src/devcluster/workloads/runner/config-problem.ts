/** A container cannot be set up as its pod says; the message is shown in the pod's status and events: names, no values. */
export class ConfigProblem extends Error {
  override name = 'ConfigProblem'
}
