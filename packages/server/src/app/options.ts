import { type Effects, type Purser, PurserError, suggestion } from 'purser'
import type { EnvironmentKeys } from '../auth/api-keys.ts'
import { type ConfigFile, PREFIX } from '../config/schema.ts'
import type { Authorize } from './context.ts'

export interface CreateServerOptions {
  /** A Purser of the host's, which the host closes; or `config`. */
  readonly purser?: Purser | undefined
  /** What a configuration file holds; the server opens its own Purser and closes it. */
  readonly config?: ConfigFile | undefined
  /** Path in front of every route; stands above `config.server.prefix`. */
  readonly prefix?: string | undefined
  /** The host's own say in who is calling, before keys and sessions. */
  readonly authorize?: Authorize | undefined
  /** Keys that stand in the environment instead of the store. */
  readonly keys?: EnvironmentKeys | undefined
  /** Replaces clocks, ids and timers, for tests. */
  readonly effects?: Partial<Effects> | undefined
}

type Check = readonly [expected: string, passes: (value: unknown) => boolean]

const object: Check = ['an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value)]

const CHECKS: Readonly<Record<keyof CreateServerOptions, Check>> = {
  purser: ['what openPurser() resolves with', (value) => object[1](value) && 'user' in (value as object)],
  config: object,
  prefix: [PREFIX.rule, (value) => typeof value === 'string' && PREFIX.pattern.test(value)],
  authorize: ['a function', (value) => typeof value === 'function'],
  keys: object,
  effects: object,
}

const HINT = "For instance: createServer({ config: { store: 'memory:' } }), or createServer({ purser }) with your own."

/** Throws `option_unknown` or `option_invalid` for the first option that cannot be. */
export function checkServerOptions(options: unknown): asserts options is CreateServerOptions {
  if (!object[1](options)) throw invalid('createServer takes an object of options.')
  const given = options as Readonly<Record<string, unknown>>
  for (const [name, value] of Object.entries(given)) {
    const check = Object.hasOwn(CHECKS, name) ? CHECKS[name as keyof CreateServerOptions] : undefined
    if (check === undefined) throw unknown(name)
    const [expected, passes] = check
    if (value !== undefined && !passes(value)) throw invalid(`The option '${name}' must be ${expected}.`)
  }
  const { purser, config } = given
  if (purser === undefined && config === undefined) throw invalid("createServer needs 'purser' or 'config'.")
  if (purser !== undefined && config !== undefined) {
    throw invalid("createServer takes 'purser' or 'config', not both: a Purser has its configuration.")
  }
}

function invalid(message: string): PurserError {
  return new PurserError('option_invalid', message, { hint: HINT })
}

function unknown(name: string): PurserError {
  const known = Object.keys(CHECKS)
  return new PurserError('option_unknown', `There is no option '${name}'.`, {
    hint:
      suggestion(name, known) || `Known here: ${known.join(', ')}. What a configuration file holds goes into config.`,
  })
}
