/**
 * The single values that flags and environment variables may set, once: where each goes in the configuration, and how
 * its text is read. Everything else is set in the file.
 */
export interface Setting {
  readonly path: readonly string[]
  readonly flag: string
  readonly environment: string
  readonly reads: 'text' | 'number' | 'boolean'
  readonly help: string
}

const setting = (
  path: string,
  reads: Setting['reads'],
  help: string,
  flag: string = kebab(path.split('.').at(-1) ?? path),
): Setting => ({
  path: path.split('.'),
  flag,
  environment: `PURSER_${flag.replaceAll('-', '_').toUpperCase()}`,
  reads,
  help,
})

export const SETTINGS: readonly Setting[] = [
  setting('store', 'text', "'memory:' or 'sqlite:PATH' (default sqlite:data/purser.db)"),
  setting('namespace', 'text', 'the application or tenant (default default)'),
  setting('timeZone', 'text', 'the zone of users who have none of their own (default UTC)'),
  setting('secretKey', 'text', '32 bytes in base64; by default a key file beside the database'),
  setting('ledger.dailyCap', 'number', 'messages a user may send a day, 0 is unlimited (default 0)'),
  setting('answers.enabled', 'boolean', 'keep answers and give them again (default off)', 'answers'),
  setting('server.host', 'text', 'address to listen on (default 127.0.0.1)'),
  setting('server.port', 'number', 'port to listen on, 0 takes a free one (default 7117)'),
  setting('server.prefix', 'text', 'path in front of every route'),
  setting('server.publicUrl', 'text', 'the address people use, behind a proxy'),
  setting('server.bodyLimitBytes', 'number', 'largest request body (default 20971520)'),
  setting('server.firstChunkTimeoutMs', 'number', 'longest wait for the first chunk of a model (default 60000)'),
  setting('server.idleTimeoutMs', 'number', 'longest pause between two chunks of a model (default 60000)'),
  setting('server.shutdownMs', 'number', 'longest drain at the end (default 10000)'),
  setting('server.logLevel', 'text', 'fatal, error, warn, info, debug, trace or silent (default warn)'),
]

/** Variables that are read elsewhere; every other `PURSER_…` gets a warning, because it is likely a slip. */
export const OTHER_VARIABLES: readonly string[] = [
  'PURSER_CONFIG',
  'PURSER_ADMIN_KEY',
  'PURSER_SERVICE_KEY',
  'PURSER_KEY',
  'PURSER_URL',
  'PURSER_TEST_FULL',
  'PURSER_SEED',
]

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
