import { inspect } from 'node:util'
import { EFFECTS } from './core/effects.ts'
import { PurserError, suggestion } from './errors.ts'

/** Throws `option_unknown` or `option_invalid` for the first option that cannot be, naming it and the mend. */
export function checkOptions(options: unknown): void {
  if (!object[1](options)) {
    throw new PurserError('option_invalid', 'openPurser takes an object of options.', {
      hint: "For instance: openPurser({ store: 'memory:' }).",
    })
  }
  checkAll(options as Record<string, unknown>, CHECKS, '')
}

/** What an option may hold, told as the second half of "… must be"; a hint when the value itself must not be shown. */
type Check = readonly [expected: string, passes: (value: unknown) => boolean, hint?: string]

const wholeNumber = (least: number): Check => [
  `a whole number of ${least} or more`,
  (value) => Number.isSafeInteger(value) && (value as number) >= least,
]
const duration: Check = ['a number of milliseconds, 0 or more', (value) => typeof value === 'number' && value >= 0]
/** What a detection may say as a phase or a risk level. */
export const LABEL_MAX_BYTES = 64

const object: Check = ['an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value)]
const flag: Check = ['true or false', (value) => typeof value === 'boolean']
const oneOf = (...choices: string[]): Check => [
  `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`,
  (value) => choices.includes(value as string),
]
const isLabel = (value: unknown): boolean =>
  typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= LABEL_MAX_BYTES
const vocabulary: Check = [
  `a list of different texts of 1 to ${LABEL_MAX_BYTES} bytes`,
  (value) => Array.isArray(value) && value.length > 0 && new Set(value).size === value.length && value.every(isLabel),
]
const orNull = ([expected, passes]: Check): Check => [
  `${expected}, or null for no limit`,
  (value) => value === null || passes(value),
]
/** Limits, which null waives. */
const limit = {
  ofTime: orNull(duration),
  fromNone: orNull(wholeNumber(0)),
  fromOne: orNull(wholeNumber(1)),
}

const CHECKS = {
  namespace: ['well-formed text of 1 to 256 bytes without control characters', isNamespace],
  timeZone: ['an IANA time zone', isTimeZone],
  providers: object,
  mcpServers: object,
  presets: object,
  effects: ['an object with some of now, monotonic, randomId and setTimer, which are functions', isEffects],
  store: [
    "'memory:', 'sqlite:PATH' or a store",
    (value) => (typeof value === 'string' ? /^(memory:|sqlite:.+)$/.test(value) : isStore(value)),
    "For instance 'sqlite:purser.db', or what a driver's function gives.",
  ],
  secretKey: [
    '32 bytes in base64, or { current, previous: [] }',
    isSecretKey,
    'Make one with `openssl rand -base64 32`.',
  ],
  runtime: {
    defaults: object,
    idleMs: limit.ofTime,
    mcpIdleMs: limit.ofTime,
    maxLeaseMs: limit.ofTime,
    sweepMs: limit.ofTime,
    maxLive: limit.fromOne,
    maxMcpProcesses: limit.fromNone,
  },
  context: {
    budgetMs: limit.ofTime,
    ttlMs: limit.ofTime,
    maxStaleMs: limit.ofTime,
    maxUsers: limit.fromOne,
    maxFlights: limit.fromOne,
    maxAbandoned: limit.fromNone,
    clock: oneOf('minute', 'second', 'off', 'auto'),
    sources: object,
    sections: object,
  },
  ledger: {
    dailyCap: limit.fromNone,
    window: oneOf('day', 'rolling24h'),
    keepEvents: limit.fromOne,
    phases: vocabulary,
    riskLevels: vocabulary,
  },
  answers: {
    enabled: flag,
    ttlMs: limit.ofTime,
    maxEntries: limit.fromOne,
    maxBytes: limit.fromOne,
    touchEveryMs: limit.ofTime,
  },
} as const satisfies Record<string, Check | Record<string, Check>>

function checkAll(
  given: Record<string, unknown>,
  checks: Record<string, Check | Record<string, Check>>,
  path: string,
): void {
  for (const [name, value] of Object.entries(given)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined
    if (check === undefined) {
      throw new PurserError('option_unknown', `There is no option '${path}${name}'.`, {
        hint: suggestion(name, Object.keys(checks)) || `Known here: ${Object.keys(checks).join(', ')}.`,
      })
    }
    if (value === undefined) continue
    if (!isCheck(check)) {
      requireValue(object, value, `${path}${name}`)
      checkAll(value as Record<string, unknown>, check, `${path}${name}.`)
    } else requireValue(check, value, `${path}${name}`)
  }
}

function isCheck(check: Check | Record<string, Check>): check is Check {
  return Array.isArray(check)
}

function requireValue([expected, passes, hint]: Check, value: unknown, path: string): void {
  if (passes(value)) return
  throw new PurserError('option_invalid', `The option '${path}' must be ${expected}.`, {
    hint: hint ?? `It is ${inspect(value, { depth: 0 }).slice(0, 80)}.`,
  })
}

/** Part of every key: held to the rules of a user id, so that it can be read in logs and keys alike. */
function isNamespace(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) return false
  return Buffer.byteLength(value) <= 256 && !/\p{Cc}/u.test(value)
}

/** Something that can do more, such as a clock that a test drives, is fine; what can do nothing of it is a slip. */
function isEffects(value: unknown): boolean {
  if (!object[1](value)) return false
  const given = value as Record<string, unknown>
  if (Object.keys(given).length > 0 && !EFFECTS.some((name) => name in given)) return false
  return EFFECTS.every((name) => given[name] === undefined || typeof given[name] === 'function')
}

function isStore(value: unknown): boolean {
  const parts = ['traits', 'meta', 'users', 'events', 'bus', 'answers', 'lastGood', 'close']
  return object[1](value) && parts.every((part) => part in (value as object))
}

function isSecretKey(value: unknown): boolean {
  if (typeof value === 'string') return true
  if (!object[1](value)) return false
  const { current, previous = [], ...others } = value as Record<string, unknown>
  const earlier = Array.isArray(previous) && previous.every((key) => typeof key === 'string')
  return typeof current === 'string' && earlier && Object.keys(others).length === 0
}

export function isTimeZone(zone: unknown): zone is string {
  // An offset such as +05:00 is known to Intl, and is no zone.
  if (typeof zone !== 'string' || !/^[a-z]/i.test(zone)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) instanceof Intl.DateTimeFormat
  } catch {
    return false
  }
}
