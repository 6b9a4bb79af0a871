import type { TemplateConfig, TemplatingConfig } from './agent-config.ts'
import type { Section } from './section.ts'

export function readTemplate(section: Section): TemplateConfig {
  const destination = section.text('destination')
  if (!destination) throw section.problem('destination', 'is missing: the file to write')
  const contents = section.text('contents')
  const source = section.text('source')
  if (Boolean(contents) === Boolean(source))
    throw section.problem('contents', 'or "source" is needed, and only one of them')
  const left = section.text('left_delimiter')
  const right = section.text('right_delimiter')
  const command = section.text('command')
  const perms = section.mode('perms')
  const template: TemplateConfig = {
    destination,
    ...(contents ? { contents } : { source: source ?? '' }),
    ...(left ? { left } : {}),
    ...(right ? { right } : {}),
    ...(command ? { command } : {}),
    ...(perms === undefined ? {} : { perms }),
    errorOnMissingKey: section.flag('error_on_missing_key') ?? false,
    createDirectories: section.flag('create_dest_dirs') ?? true,
  }
  section.end([
    'backup',
    'command_timeout',
    'error_fatal',
    'exec',
    'function_denylist',
    'function_blacklist',
    'group',
    'map_to_environment_variable',
    'sandbox_path',
    'user',
    'wait',
  ])
  return template
}

export function readTemplating(section: Section | undefined): TemplatingConfig {
  const threshold = section?.number('lease_renewal_threshold') || 0.9
  if (section && (threshold <= 0 || threshold > 1))
    throw section.problem('lease_renewal_threshold', 'must be above 0 and at most 1')
  const config: TemplatingConfig = {
    exitOnRetryFailure: section?.flag('exit_on_retry_failure') ?? false,
    staticIntervalMs: section?.duration('static_secret_render_interval') || 300_000,
    leaseThreshold: threshold,
  }
  section?.end(['max_connections_per_host'])
  return config
}
