import { PurserError, suggestion } from './errors.ts'

/** Throws `option_unknown` or `option_invalid` for the first option that cannot be, naming it and the mend. */
export function checkOptions(options: Record<string, unknown>): void {
  checkAll(options, CHECKS, '')
}

/** What an option may hold, told as the second half of "… must be". */
type Check = readonly [expected: string, passes: (value: unknown) => boolean]

const wholeNumber = (least: number): Check => [
  `a whole number of ${least} or more`,
  (value) => Number.isSafeInteger(value) && (value as number) >= least,
]
const duration: Check = ['a number of milliseconds, 0 or more', (value) => typeof value === 'number' && value >= 0]
const text: Check = ['non-empty text', (value) => typeof value === 'string' && value !== '']
const object: Check = ['an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value)]
const flag: Check = ['true or false', (value) => typeof value === 'boolean']
const oneOf = (...choices: string[]): Check => [
  `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`,
  (value) => choices.includes(value as string),
]
const vocabulary: Check = [
  'a list of different, non-empty texts',
  (value) => Array.isArray(value) && value.length > 0 && new Set(value).size === value.length && value.every(text[1]),
]
const orNull = ([expected, passes]: Check): Check => [
  `${expected}, or null`,
  (value) => value === null || passes(value),
]

const CHECKS = {
  namespace: text,
  timeZone: ['an IANA time zone', isTimeZone],
  providers: object,
  mcpServers: object,
  presets: object,
  effects: object,
  store: [
    "'memory:', 'sqlite:PATH' or a store",
    (value) => (typeof value === 'string' ? /^(memory:|sqlite:.+)$/.test(value) : object[1](value)),
  ],
  secretKey: ['32 bytes in base64, or { current, previous }', (value) => typeof value === 'string' || object[1](value)],
  runtime: {
    defaults: object,
    idleMs: duration,
    mcpIdleMs: duration,
    sweepMs: duration,
    maxLive: wholeNumber(1),
    maxMcpProcesses: wholeNumber(0),
  },
  context: {
    budgetMs: duration,
    ttlMs: duration,
    maxStaleMs: duration,
    maxUsers: wholeNumber(1),
    maxFlights: wholeNumber(1),
    maxAbandoned: wholeNumber(0),
    clock: oneOf('minute', 'second', 'off', 'auto'),
    sources: object,
    sections: object,
  },
  ledger: {
    dailyCap: wholeNumber(0),
    window: oneOf('day', 'rolling24h'),
    keepEvents: orNull(wholeNumber(1)),
    phases: vocabulary,
    riskLevels: vocabulary,
  },
  answers: {
    enabled: flag,
    ttlMs: duration,
    maxEntries: wholeNumber(1),
    maxBytes: wholeNumber(1),
    touchEveryMs: duration,
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

function requireValue([expected, passes]: Check, value: unknown, path: string): void {
  if (passes(value)) return
  throw new PurserError('option_invalid', `The option '${path}' must be ${expected}.`, {
    hint: `It is ${typeof value === 'object' ? JSON.stringify(value)?.slice(0, 80) : String(value)}.`,
  })
}

export function isTimeZone(zone: unknown): zone is string {
  if (typeof zone !== 'string' || zone === '') return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) instanceof Intl.DateTimeFormat
  } catch {
    return false
  }
}
