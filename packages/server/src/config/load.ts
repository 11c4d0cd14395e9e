import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { escapeEnv, expandEnv, PurserError, suggestion } from 'purser'
import { checkConfig } from './check.ts'
import { type ConfigFile, SERVER_DEFAULTS, type ServerOptions } from './schema.ts'
import { OTHER_VARIABLES, SETTINGS, type Setting } from './settings.ts'

/** The effective configuration of a server. */
export interface Config extends Omit<ConfigFile, 'store' | 'server' | '$schema'> {
  readonly store: string
  readonly server: ServerOptions
}

export interface Loaded {
  readonly config: Config
  /** The file that was read; null when there was none. */
  readonly file: string | null
  /** What is odd but does not stop the start. */
  readonly warnings: readonly string[]
  /** Paths whose value came from the environment, to be masked. */
  readonly filled: readonly string[]
}

export interface Sources {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly directory: string
  /** Stands in the place of file and environment, of which neither is read then. */
  readonly instead?: ConfigFile | undefined
}

const FILE = 'purser.config.json'

/** Joins flags > environment > file > defaults. Throws `option_unknown` or `option_invalid` with hints. */
export function loadConfig(sources: Sources): Loaded {
  const { flags, instead } = sources
  const environment = instead === undefined ? sources.environment : {}
  const file = instead === undefined ? configFile(sources) : { path: null, content: instead }
  const filled = new Set<string>()
  const content = expandEnv(file.content, { environment, filled: (path) => filled.add(path.join('.')) })
  const merged = structuredClone(content) as Record<string, unknown>
  for (const setting of SETTINGS) {
    const text = flags[setting.flag] ?? environment[setting.environment]
    if (text !== undefined) put(merged, setting.path, read(setting, text, flags[setting.flag] !== undefined))
    if (setting.flag === 'secret-key' && text !== undefined) filled.add('secretKey')
  }
  const checked = checkConfig(merged, file.path === null ? 'The configuration' : file.path)
  return {
    config: effective(readyForLibrary(checked)),
    file: file.path,
    warnings: warningsOf(environment),
    filled: [...filled],
  }
}

/** The library fills in these groups itself, which must not happen a second time. */
function readyForLibrary(checked: ConfigFile): ConfigFile {
  const { providers, mcpServers, context } = checked
  const groups = Object.entries({ providers, mcpServers, context }).filter(([, group]) => group !== undefined)
  return { ...checked, ...Object.fromEntries(groups.map(([name, group]) => [name, escapeEnv(group)])) }
}

/** Checks a configuration given by a program and fills in the server's defaults. */
export function effective(checked: ConfigFile): Config {
  const { $schema: _, server, store = 'sqlite:data/purser.db', ...options } = checked
  const given = Object.entries(server ?? {}).filter(([, value]) => value !== undefined)
  return {
    store,
    ...options,
    ...demoRuntime(options),
    server: { ...SERVER_DEFAULTS, ...(Object.fromEntries(given) as Partial<ServerOptions>) },
  }
}

/** Without any provider, everybody gets the built-in one, so that a first start answers without a key. */
function demoRuntime({ providers, runtime }: ConfigFile): Pick<ConfigFile, 'providers' | 'runtime'> {
  if (providers !== undefined && Object.keys(providers).length > 0) return {}
  const defaults = runtime?.defaults ?? {}
  return {
    providers: { demo: { kind: 'demo', models: ['demo'] } },
    runtime: { ...runtime, defaults: { provider: 'demo', model: 'demo', ...defaults } },
  }
}

interface Content {
  readonly path: string | null
  readonly content: unknown
}

function configFile({ flags, environment, directory }: Sources): Content {
  const named = flags.config ?? environment.PURSER_CONFIG
  return readConfigFile(directory, typeof named === 'string' ? named : undefined)
}

function readConfigFile(directory: string, named: string | undefined): Content {
  const path = resolve(directory, named ?? FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if (named === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return { path: null, content: {} }
    throw new PurserError('option_invalid', `The configuration file ${path} cannot be read.`, {
      cause,
      hint: 'Check the path given with --config or PURSER_CONFIG.',
    })
  }
  try {
    return { path, content: JSON.parse(text) as unknown }
  } catch (cause) {
    throw new PurserError('option_invalid', `${path} is not JSON: ${(cause as Error).message}`, {
      cause,
      hint: 'JSON has no comments and no comma before a closing bracket.',
    })
  }
}

function read(setting: Setting, text: string | boolean, fromFlag: boolean): unknown {
  if (setting.reads === 'text' || typeof text === 'boolean') return text
  const name = fromFlag ? `--${setting.flag}` : setting.environment
  if (setting.reads === 'number') {
    const number = Number(text)
    if (text.trim() !== '' && Number.isFinite(number)) return number
    throw new PurserError('option_invalid', `${name} must be a number, not '${text}'.`, { hint: setting.help })
  }
  if (/^(true|on|yes|1)$/i.test(text)) return true
  if (/^(false|off|no|0)$/i.test(text)) return false
  throw new PurserError('option_invalid', `${name} must be on or off, not '${text}'.`, { hint: setting.help })
}

function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path
  if (first === undefined) return
  if (rest.length === 0) {
    target[first] = value
    return
  }
  const inner = target[first]
  const next = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {}
  target[first] = next
  put(next, rest, value)
}

function warningsOf(environment: Sources['environment']): string[] {
  const known = [...SETTINGS.map((setting) => setting.environment), ...OTHER_VARIABLES]
  return Object.keys(environment)
    .filter((name) => name.startsWith('PURSER_') && !known.includes(name))
    .map((name) => `$${name} is not read by Purser. ${suggestion(name, known)}`.trimEnd())
}
