import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { escapeEnv, expandEnv, PurserError, suggestion } from 'purser'
import { isObject } from 'purser/internal'
import { checkConfig } from './check.ts'
import type { ConfigFile } from './schema.ts'
import { resolveServerOptions, type ServerOptions } from './server-options.ts'
import { DEFAULT_STORE, OTHER_VARIABLES, SETTINGS, type Setting } from './settings.ts'

/** The effective configuration of a server. */
export interface Config extends Omit<ConfigFile, 'store' | 'server' | '$schema'> {
  readonly store: string
  readonly server: ServerOptions
}

export interface LoadedConfig {
  readonly config: Config
  /** The file that was read; null without one. */
  readonly file: string | null
  /** Problems that do not prevent a start. */
  readonly warnings: readonly string[]
  /** Paths of values that came from the environment; `config print` masks them. */
  readonly environmentPaths: readonly string[]
}

export interface ConfigSources {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The working directory. */
  readonly directory: string
  /** Replaces the file and the environment; neither is read then. Flags still take precedence. */
  readonly config?: ConfigFile | undefined
}

export const DEFAULT_FILE = 'purser.config.json'

/**
 * Merges flags > environment > file > defaults. Throws `option_unknown` or `option_invalid` with hints. `${NAME}` in a
 * string of the file is expanded from the environment.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { flags, config } = sources
  const environment = config === undefined ? sources.environment : {}
  const file = config === undefined ? findConfigFile(sources) : { path: null, content: config }
  const environmentPaths = new Set<string>()
  const content = expandEnv(file.content, {
    environment,
    onExpand: (path) => environmentPaths.add(path.join('.')),
  })
  const merged = structuredClone(content) as Record<string, unknown>
  for (const setting of SETTINGS) {
    const flag = flags[setting.flag]
    const text = flag ?? environment[setting.environment]
    if (text === undefined) continue
    const name = flag === undefined ? setting.environment : `--${setting.flag}`
    setPath(merged, setting.path, parseSetting(setting, text, name))
    if (setting.flag === 'secret-key') environmentPaths.add('secretKey')
  }
  const checked = checkConfig(merged, file.path === null ? 'The configuration' : file.path)
  return {
    config: withDefaults(escapeLibraryOptions(checked)),
    file: file.path,
    warnings: findUnknownVariables(environment),
    environmentPaths: [...environmentPaths],
  }
}

/** Adds the server's defaults to a checked configuration. */
export function withDefaults(checked: ConfigFile): Config {
  const { $schema: _, server, store = DEFAULT_STORE, ...options } = checked
  return {
    store,
    ...options,
    ...withDemoProvider(options),
    server: resolveServerOptions(server),
  }
}

/** The library expands variables in its options itself; what is expanded already must not be expanded twice. */
function escapeLibraryOptions({ server, ...options }: ConfigFile): ConfigFile {
  return { ...escapeEnv(options), ...(server === undefined ? {} : { server }) }
}

/** A configuration in code: checked, with variables read where a file reads them, and with the server's defaults. */
export function resolveConfig(config: ConfigFile): Config {
  return withDefaults(escapeLibraryOptions(checkConfig(expandEnv(config), 'The configuration')))
}

/** Without any provider, all users get the built-in one, so that a first start works without a key. */
function withDemoProvider({ providers, runtime }: ConfigFile): Pick<ConfigFile, 'providers' | 'runtime'> {
  if (providers !== undefined && Object.keys(providers).length > 0) return {}
  const defaults = runtime?.defaults ?? {}
  return {
    providers: { demo: { kind: 'demo', models: ['demo'] } },
    runtime: { ...runtime, defaults: { provider: 'demo', model: 'demo', ...defaults } },
  }
}

interface FileContent {
  readonly path: string | null
  readonly content: unknown
}

/** The file of `--config` or `PURSER_CONFIG`; the default file, which may be absent, otherwise. */
function findConfigFile({ flags, environment, directory }: ConfigSources): FileContent {
  const name = flags.config ?? environment.PURSER_CONFIG
  return readConfigFile(directory, typeof name === 'string' ? name : undefined)
}

function readConfigFile(directory: string, name: string | undefined): FileContent {
  const path = resolve(directory, name ?? DEFAULT_FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (name === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return { path: null, content: {} }
    throw new PurserError('option_invalid', `Cannot read the configuration file ${path}.`, {
      cause,
      hint: 'Check the path in --config or PURSER_CONFIG.',
    })
  }
  try {
    return { path, content: withoutComments(JSON.parse(text)) }
  } catch (cause) {
    throw new PurserError('option_invalid', `${path} is not valid JSON: ${(cause as Error).message}`, {
      cause,
      hint: 'JSON has no comments and no trailing commas. Members whose name begins with // are ignored.',
    })
  }
}

/** Members whose name begins with `//` are comments, or options that are switched off. */
function withoutComments(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutComments)
  if (!isObject(value)) return value
  const members = Object.entries(value).filter(([name]) => !name.startsWith('//'))
  return Object.fromEntries(members.map(([name, member]) => [name, withoutComments(member)]))
}

/** `name` is the flag or the variable, for the error message. */
function parseSetting(setting: Setting, text: string | boolean, name: string): unknown {
  if (setting.kind === 'text' || typeof text === 'boolean') return text
  if (setting.kind === 'number') {
    const number = Number(text)
    if (text.trim() !== '' && Number.isFinite(number)) return number
    throw new PurserError('option_invalid', `${name} must be a number, not '${text}'.`, { hint: setting.help })
  }
  if (/^(true|on|yes|1)$/i.test(text)) return true
  if (/^(false|off|no|0)$/i.test(text)) return false
  throw new PurserError('option_invalid', `${name} must be on or off, not '${text}'.`, { hint: setting.help })
}

function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path
  if (first === undefined) return
  if (rest.length === 0) {
    target[first] = value
    return
  }
  const inner = target[first]
  const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
  target[first] = next
  setPath(next, rest, value)
}

/** Warnings for `PURSER_…` variables that Purser does not read; most are misspelt. */
function findUnknownVariables(environment: ConfigSources['environment']): string[] {
  const known = [...SETTINGS.map((setting) => setting.environment), ...OTHER_VARIABLES]
  return Object.keys(environment)
    .filter((name) => name.startsWith('PURSER_') && !known.includes(name))
    .map((name) => `Unknown environment variable ${name}. ${suggestion(name, known)}`.trimEnd())
}
