import { inspect } from 'node:util'
import { EFFECTS } from './core/effects.ts'
import { isObject } from './core/validate.ts'
import { PurserError, suggestion } from './errors.ts'
import { STORE_URL } from './storage/store-url.ts'

/**
 * One option: its default, its bounds and how it is checked. The validation of `openPurser`, the defaults, the server's
 * configuration schema and the reference derive from a table of these.
 */
export interface OptionSpec<Value = unknown> {
  readonly kind: 'duration' | 'integer' | 'text' | 'boolean' | 'choice' | 'labels' | 'list' | 'object' | 'custom'
  /** Undefined: the option has no default. */
  readonly default: Value
  /** Of `integer`, inclusive. */
  readonly min?: number
  readonly max?: number
  /** Of `choice`. */
  readonly choices?: readonly string[]
  /** `null` waives the limit; this is the value that stands for it. */
  readonly unlimited?: number | null
  /** Completes "must be …". */
  readonly expected: string
  /** For the error, where the value itself must not be shown. */
  readonly hint?: string
  isValid(value: unknown): boolean
}

/** A spec for each option of a group. A group within it is a table, see `group`. */
export type OptionSpecs<Options> = { readonly [Name in keyof Options]-?: OptionSpec<Options[Name]> }

/** UTF-8 bytes of a phase, a risk level and other labels. */
export const LABEL_MAX_BYTES = 64

/** Milliseconds; `null` means no limit. */
export function duration(defaultMs: number): OptionSpec<number> {
  return nullable(Number.POSITIVE_INFINITY, {
    kind: 'duration',
    default: defaultMs,
    expected: 'a number of milliseconds, 0 or more',
    isValid: (value) => typeof value === 'number' && value >= 0,
  })
}

/** A limit; `null` means no limit, for which `unlimited` stands. */
export function limit<Unlimited extends number | null = number>(
  defaultLimit: number | Unlimited,
  { min, unlimited }: { readonly min: number; readonly unlimited?: Unlimited },
): OptionSpec<number | Unlimited> {
  const spec: OptionSpec<number | Unlimited> = { ...integer(0, { min }), default: defaultLimit }
  return nullable(unlimited === undefined ? Number.POSITIVE_INFINITY : unlimited, spec)
}

export function integer(
  defaultValue: number,
  { min, max = Number.MAX_SAFE_INTEGER }: { readonly min: number; readonly max?: number },
): OptionSpec<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max}`
  return {
    kind: 'integer',
    default: defaultValue,
    min,
    max,
    expected: `an integer ${bounds}`,
    isValid: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  }
}

function nullable<Value>(unlimited: number | null, spec: OptionSpec<Value>): OptionSpec<Value> {
  return {
    ...spec,
    unlimited,
    expected: `${spec.expected}, or null for no limit`,
    isValid: (value) => value === null || spec.isValid(value),
  }
}

export function flag(defaultValue: boolean): OptionSpec<boolean> {
  return {
    kind: 'boolean',
    default: defaultValue,
    expected: 'true or false',
    isValid: (value) => typeof value === 'boolean',
  }
}

export function choice<Choice extends string>(defaultChoice: Choice, choices: readonly Choice[]): OptionSpec<Choice> {
  return {
    kind: 'choice',
    default: defaultChoice,
    choices,
    expected: `one of ${choices.map((name) => `'${name}'`).join(', ')}`,
    isValid: (value) => choices.includes(value as Choice),
  }
}

export function text<Value>(
  defaultValue: Value,
  check: Pick<OptionSpec, 'expected' | 'isValid' | 'hint'>,
): OptionSpec<Value> {
  return { kind: 'text', default: defaultValue, ...check }
}

export function object<Value extends object | undefined>(
  defaultValue: Value,
  check: Partial<Pick<OptionSpec, 'expected' | 'isValid' | 'hint'>> = {},
): OptionSpec<Value> {
  return { kind: 'object', default: defaultValue, expected: 'an object', isValid: isObject, ...check }
}

/** A group within a group. It is a table of specs, which the functions of this file tell from a spec. */
export function group<Options>(specs: OptionSpecs<Options>): OptionSpec<Options> {
  return specs as unknown as OptionSpec<Options>
}

/** A list whose entries are checked when it is compiled. */
export function list<Entry>(hint: string): OptionSpec<readonly Entry[]> {
  return { kind: 'list', default: [], expected: 'a list', hint, isValid: Array.isArray }
}

/** A value that only a program can pass. */
export function custom<Value>(
  defaultValue: Value,
  check: Pick<OptionSpec, 'expected' | 'isValid' | 'hint'>,
): OptionSpec<Value> {
  return { kind: 'object', default: defaultValue, ...check }
}

/** A declared vocabulary, in order. */
export function labels(): OptionSpec<readonly string[] | undefined> {
  return {
    kind: 'labels',
    default: undefined,
    expected: `a list of different texts of 1 to ${LABEL_MAX_BYTES} bytes`,
    isValid: (value) =>
      Array.isArray(value) && value.length > 0 && new Set(value).size === value.length && value.every(isLabel),
  }
}

function isLabel(value: unknown): boolean {
  return (
    typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= LABEL_MAX_BYTES
  )
}

export interface SpecTable {
  readonly [name: string]: OptionSpec | SpecTable
}

/**
 * Checks options against a table.
 *
 * Throws `option_unknown` with a suggestion, or `option_invalid` for the first value that does not fit.
 */
export function validateAgainst(specs: SpecTable, options: unknown, call: string): void {
  if (!isObject(options)) {
    throw new PurserError('option_invalid', `The options of ${call} must be an object.`, {
      hint: `Valid options: ${Object.keys(specs).join(', ')}.`,
    })
  }
  validateGroup(specs, options, '')
}

/** Checks a group of options; `path` precedes their names in errors, as in `context.`. */
export function validateGroup(specs: SpecTable, options: Record<string, unknown>, path: string): void {
  for (const [name, value] of Object.entries(options)) {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
    if (spec === undefined) {
      throw new PurserError('option_unknown', `Unknown option '${path}${name}'.`, {
        hint: suggestion(name, Object.keys(specs)) || `Valid options: ${Object.keys(specs).join(', ')}.`,
      })
    }
    if (value === undefined) continue
    if (isSpec(spec)) validateValue(spec, value, `${path}${name}`)
    else if (isObject(value)) validateGroup(spec, value, `${path}${name}.`)
    else throw invalidValue({ expected: 'an object' }, value, `${path}${name}`)
  }
}

function validateValue(spec: OptionSpec, value: unknown, path: string): void {
  if (!spec.isValid(value)) throw invalidValue(spec, value, path)
}

function invalidValue(
  { expected, hint }: Pick<OptionSpec, 'expected' | 'hint'>,
  value: unknown,
  path: string,
): PurserError {
  return new PurserError('option_invalid', `The option '${path}' must be ${expected}.`, {
    hint: hint ?? `It is ${inspect(value, { depth: 0 }).slice(0, 80)}.`,
  })
}

export function isSpec(spec: OptionSpec | SpecTable): spec is OptionSpec {
  return typeof spec.isValid === 'function'
}

/** The defaults of a group, and of the groups within it. */
export function defaultsOf<Options>(specs: OptionSpecs<Options>): Options {
  const entries = Object.entries<OptionSpec | SpecTable>(specs)
  const values = entries.map(([name, spec]) => [name, isSpec(spec) ? spec.default : defaultsOf(spec as never)])
  return Object.fromEntries(values) as Options
}

/** Fills in defaults, and for `null` the value that means no limit. */
export function withDefaults<Options extends object>(
  specs: OptionSpecs<Options>,
  options: object | undefined,
): Options {
  const present = Object.entries(options ?? {}).filter(([, value]) => value !== undefined)
  const values = present.map(([name, value]) => [name, resolveValue((specs as unknown as SpecTable)[name], value)])
  return { ...defaultsOf(specs), ...Object.fromEntries(values) }
}

function resolveValue(spec: OptionSpec | SpecTable | undefined, value: unknown): unknown {
  if (spec !== undefined && !isSpec(spec)) return withDefaults(spec as never, value as object)
  return value === null ? spec?.unlimited : value
}

/** Part of every key, so it follows the rules of a user id. */
export function isNamespace(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) return false
  return Buffer.byteLength(value) <= 256 && !/\p{Cc}/u.test(value)
}

/** An object that can do more, such as a test clock, is fine; one that has none of the functions is a mistake. */
export function isEffects(value: unknown): boolean {
  if (!isObject(value)) return false
  if (Object.keys(value).length > 0 && !EFFECTS.some((name) => name in value)) return false
  return EFFECTS.every((name) => value[name] === undefined || typeof value[name] === 'function')
}

export function isStoreOption(value: unknown): boolean {
  if (typeof value === 'string') return STORE_URL.test(value)
  const members = ['traits', 'meta', 'users', 'events', 'turns', 'sums', 'bus', 'answers', 'lastGood', 'close']
  return isObject(value) && members.every((member) => member in value)
}

export function isSecretKey(value: unknown): boolean {
  if (typeof value === 'string') return true
  if (!isObject(value)) return false
  const { current, previous = [], ...others } = value
  const isList = Array.isArray(previous) && previous.every((key) => typeof key === 'string')
  return typeof current === 'string' && isList && Object.keys(others).length === 0
}

export function isTimeZone(zone: unknown): zone is string {
  // Intl accepts offsets such as +05:00, which are not zones.
  if (typeof zone !== 'string' || !/^[a-z]/i.test(zone)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }) instanceof Intl.DateTimeFormat
  } catch {
    return false
  }
}
