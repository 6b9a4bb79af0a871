/** A template that cannot be parsed or run, in Go's words. The text names places and types, never values. */
export class TemplateError extends Error {
  override name = 'TemplateError'
  readonly stage: 'parse' | 'execute'

  constructor(stage: 'parse' | 'execute', message: string, options?: ErrorOptions) {
    super(message, options)
    this.stage = stage
  }
}
