import { isSpec, OPTION_SPECS, type OptionSpec, type SpecTable, STORE_URL_FORMS } from 'purser/internal'
import { SERVER_SPECS } from './server-options.ts'

/** An option that a flag or an environment variable can set. All others are set in the configuration file. */
export interface Setting {
  readonly path: readonly string[]
  readonly flag: string
  readonly environment: string
  readonly kind: 'text' | 'number' | 'boolean'
  readonly help: string
}

/** Where `purser serve` keeps its data unless it is told otherwise. */
export const DEFAULT_STORE = 'sqlite:data/purser.db'

const SPECS: SpecTable = { ...OPTION_SPECS, server: SERVER_SPECS } as unknown as SpecTable

export const SETTINGS: readonly Setting[] = [
  setting('store', STORE_URL_FORMS, { defaultWords: DEFAULT_STORE }),
  setting('namespace', 'Application or tenant'),
  setting('timeZone', 'Time zone of users without their own'),
  setting('secretKey', '32 bytes in base64', { defaultWords: 'a key file beside the database' }),
  setting('ledger.dailyCap', 'Turns per user and day; 0 is unlimited'),
  setting('answers.enabled', 'Cache answers', { flag: 'answers' }),
  setting('server.host', 'Address to listen on'),
  setting('server.port', 'Port to listen on; 0 takes any free port'),
  setting('server.prefix', 'Path in front of every route'),
  setting('server.publicUrl', 'Address that clients use, behind a proxy'),
  setting('server.trustProxy', 'Proxies whose x-forwarded-… headers count: true or addresses'),
  setting('server.bodyLimitBytes', 'Largest request body'),
  setting('server.firstChunkTimeoutMs', 'Time until the first chunk of a model'),
  setting('server.idleTimeoutMs', 'Time between two chunks or comments of a model'),
  setting('server.shutdownMs', 'Longest drain at shutdown'),
  setting('server.logLevel', 'Log level'),
]

/** Variables that are read elsewhere. Every other `PURSER_…` variable gets a warning, because it is likely a typo. */
export const OTHER_VARIABLES: readonly string[] = [
  'PURSER_CONFIG',
  'PURSER_ADMIN_KEY',
  'PURSER_SERVICE_KEY',
  'PURSER_KEY',
  'PURSER_URL',
  'PURSER_TEST_FULL',
  'PURSER_SEED',
]

function setting(
  path: string,
  meaning: string,
  { flag = kebab(path.split('.').at(-1) ?? path), defaultWords }: { flag?: string; defaultWords?: string } = {},
): Setting {
  const spec = specAt(path.split('.'))
  return {
    path: path.split('.'),
    flag,
    environment: `PURSER_${flag.replaceAll('-', '_').toUpperCase()}`,
    kind: spec.kind === 'duration' || spec.kind === 'integer' ? 'number' : spec.kind === 'boolean' ? 'boolean' : 'text',
    help: [meaning, choicesOf(spec), defaultOf(spec, defaultWords)].filter((part) => part !== '').join(' '),
  }
}

function specAt([first = '', second]: readonly string[]): OptionSpec {
  const spec = SPECS[first]
  const found = second === undefined || spec === undefined || isSpec(spec) ? spec : spec[second]
  if (found === undefined || !isSpec(found)) throw new Error(`No option '${first}.${second}'.`)
  return found
}

function choicesOf({ choices }: OptionSpec): string {
  return choices === undefined ? '' : `(${choices.join(', ')})`
}

function defaultOf({ kind, default: value }: OptionSpec, words = String(value)): string {
  if (value === '' || (value === undefined && words === 'undefined')) return ''
  return `(default ${kind === 'boolean' ? (value ? 'on' : 'off') : words})`
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
