import { type Effects, type Purser, PurserError } from 'purser'
import {
  custom,
  isObject,
  type OptionSpec,
  type OptionSpecs,
  type SpecTable,
  text,
  validateAgainst,
} from 'purser/internal'
import type { EnvironmentKeys } from '../auth/environment-keys.ts'
import type { ConfigFile } from '../config/schema.ts'
import { isPrefix, SERVER_SPECS, type ServerOptionInput } from '../config/server-options.ts'
import type { Authorize } from './context.ts'

export interface CreateServerOptions {
  /** A Purser of the host application, which closes it; or `config`. */
  readonly purser?: Purser | undefined
  /** The content of a configuration file; the server opens its own Purser and closes it. */
  readonly config?: ConfigFile | undefined
  /** Options of the server itself, with `purser`; in a configuration they are `config.server`. */
  readonly server?: ServerOptionInput | undefined
  /** Path in front of every route; overrides `config.server.prefix`. */
  readonly prefix?: string | undefined
  /** Authenticates a request before keys and sessions are tried. */
  readonly authorize?: Authorize | undefined
  /** API keys that are not in the store. */
  readonly keys?: EnvironmentKeys | undefined
  /** Replaces clocks, ids and timers, in tests. */
  readonly effects?: Partial<Effects> | undefined
}

const object = { expected: 'an object', isValid: isObject }

const SPECS: OptionSpecs<CreateServerOptions> = {
  purser: custom(undefined, {
    expected: 'the result of openPurser()',
    isValid: (value) => isObject(value) && 'user' in value,
  }),
  config: custom(undefined, object),
  server: SERVER_SPECS as unknown as OptionSpec<ServerOptionInput | undefined>,
  prefix: text<string | undefined>(undefined, { expected: SERVER_SPECS.prefix.expected, isValid: isPrefix }),
  authorize: custom(undefined, { expected: 'a function', isValid: (value) => typeof value === 'function' }),
  keys: custom(undefined, object),
  effects: custom(undefined, object),
}

/** Throws `option_unknown` or `option_invalid` for the first option that is not valid. */
export function validateServerOptions(options: unknown): asserts options is CreateServerOptions {
  validateAgainst(SPECS as unknown as SpecTable, options, 'createServer')
  const { purser, config, server } = options as CreateServerOptions
  if (config !== undefined && server !== undefined) {
    throw new PurserError('option_invalid', "createServer takes 'server' with 'purser' only.", {
      hint: 'Set config.server instead.',
    })
  }
  if ((purser === undefined) !== (config === undefined)) return
  throw new PurserError('option_invalid', "createServer takes either 'purser' or 'config'.", {
    hint: "Example: createServer({ config: { store: 'memory:' } }), or createServer({ purser }) with your own.",
  })
}
