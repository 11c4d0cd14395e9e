import { type ErrorCode, PurserError, suggestion } from '../errors.ts'

/**
 * Validation of what callers pass. A function `parseX` returns the checked value, `validateX` only checks; both throw
 * a `PurserError` that names the parameter, before anything is read or written. `undefined` counts as absent.
 */

export const ACTOR_MAX_BYTES = 256
export const REASON_MAX_BYTES = 1_024
export const IDEMPOTENCY_KEY_MAX_BYTES = 256
const PAGE_LIMIT_MAX = 1_000
const PAGE_LIMIT_DEFAULT = 50
/** Longer names are cut before they appear in a message. */
const SHOWN_NAME_MAX = 64

export interface Rule {
  /** The parameter, as the caller writes it. */
  readonly name: string
  /** Default `argument_invalid`. */
  readonly code?: ErrorCode | undefined
  readonly hint?: string | undefined
}

export function throwInvalid(message: string, rule: Omit<Rule, 'name'> & { readonly name?: string } = {}): never {
  const { name, code = 'argument_invalid', hint } = rule
  throw new PurserError(code, message, { hint, details: name === undefined ? undefined : { param: name } })
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Refuses anything but an object with known fields, and suggests the field that was probably meant. */
export function validateFields(value: unknown, known: readonly string[], { name, code }: Rule): void {
  if (!isObject(value)) throwInvalid(`'${name}' must be an object.`, { name, code, hint: hintAtFields(known) })
  for (const field in value) {
    if (known.includes(field)) continue
    const shown = field.slice(0, SHOWN_NAME_MAX)
    throwInvalid(`Unknown field '${shown}' in ${name}.`, {
      name: shown,
      code,
      hint: suggestion(shown, known) || hintAtFields(known),
    })
  }
}

/**
 * Refuses an object of more than `max` fields, before anything walks or copies it.
 *
 * @throws {PurserError} the code of the rule, by default `argument_invalid`
 */
export function validateFieldCount(value: object, max: number, rule: Rule): void {
  let count = 0
  for (const _ in value) {
    if (++count > max) throwInvalid(`'${rule.name}' must not have more than ${max} fields.`, rule)
  }
}

function hintAtFields(known: readonly string[]): string {
  return `Valid fields: ${known.join(', ')}.`
}

/**
 * Validates the options of a call: throws `argument_invalid` unless they are an object with a valid `signal`,
 * `option_unknown` for an unknown name, and the signal's reason if it is already aborted.
 */
export function validateOptions(call: string, options: unknown, known: readonly string[]): void {
  if (!isObject(options)) throwInvalid(`The options of ${call} must be an object.`, { hint: hintAtOptions(known) })
  for (const name of Object.keys(options)) {
    if (name !== 'signal' && !known.includes(name)) throwUnknownOption(call, name, known)
  }
  const { signal } = options as { readonly signal?: AbortSignal }
  validateSignal(signal)
  signal?.throwIfAborted()
}

function throwUnknownOption(call: string, name: string, known: readonly string[]): never {
  const shown = name.slice(0, SHOWN_NAME_MAX)
  throwInvalid(`Unknown option '${shown}' of ${call}.`, {
    name: shown,
    code: 'option_unknown',
    hint: suggestion(shown, [...known, 'signal']) || hintAtOptions(known),
  })
}

function hintAtOptions(known: readonly string[]): string {
  return `Valid options: ${[...known, 'signal'].join(', ')}.`
}

export function validateSignal(signal: unknown): void {
  if (signal === undefined) return
  const { addEventListener, throwIfAborted } = (signal ?? {}) as Partial<AbortSignal>
  if (typeof addEventListener === 'function' && typeof throwIfAborted === 'function') return
  throwInvalid("'signal' must be an AbortSignal.", { name: 'signal', hint: 'Example: AbortSignal.timeout(5_000).' })
}

export function validateFunction(value: unknown, rule: Rule): void {
  if (typeof value !== 'function') throwInvalid(`'${rule.name}' must be a function.`, rule)
}

/** Non-empty, well-formed text of at most `maxBytes` UTF-8 bytes. */
export function parseText(value: unknown, rule: Rule & { readonly maxBytes: number }): string {
  const { name, maxBytes } = rule
  if (typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= maxBytes)
    return value
  return throwInvalid(`'${name}' must be text of 1 to ${maxBytes.toLocaleString('en')} bytes.`, rule)
}

export function parseOneOf<Choice extends string>(value: unknown, choices: readonly Choice[], rule: Rule): Choice {
  if (choices.includes(value as Choice)) return value as Choice
  return throwInvalid(`'${rule.name}' must be ${choices.map((choice) => `'${choice}'`).join(' or ')}.`, rule)
}

/** An integer within `min` and `max`; without `max` up to 2^53 - 1. */
export function parseInteger(value: unknown, rule: Rule & { readonly min: number; readonly max?: number }): number {
  const { name, min, max = Number.MAX_SAFE_INTEGER } = rule
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number
  const bounds = max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `from ${min} to ${max.toLocaleString('en')}`
  return throwInvalid(`'${name}' must be an integer ${bounds}.`, rule)
}

/** Milliseconds: a number of 0 or more, fractions and infinity included. */
export function parseDuration(value: unknown, rule: Rule): number {
  if (typeof value === 'number' && value >= 0) return value
  return throwInvalid(`'${rule.name}' must be a number of milliseconds, 0 or more.`, rule)
}

/** The same; `null`, no limit, is infinity. Undefined if absent. */
export function parseTimeLimit(value: unknown, rule: Rule): number | undefined {
  if (value === undefined) return undefined
  return value === null ? Number.POSITIVE_INFINITY : parseDuration(value, rule)
}

/** An ISO 8601 instant with its offset, as epoch milliseconds. */
export function parseInstant(value: unknown, rule: Rule): number {
  const text = typeof value === 'string' ? value : ''
  const isComplete = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/i.test(text) && isCalendarDate(text.slice(0, 10))
  const epochMs = isComplete ? Date.parse(text) : Number.NaN
  if (Number.isFinite(epochMs)) return epochMs
  return throwInvalid(`'${rule.name}' must be an ISO 8601 instant such as '2026-01-31T12:00:00Z'.`, rule)
}

/** One end of a period, epoch ms; undefined: open. */
export function parseOptionalInstant(value: unknown, name: string): number | undefined {
  return value === undefined ? undefined : parseInstant(value, { name })
}

/** Refuses a period whose end is before its start; both are epoch ms, and an absent one is open. */
export function validatePeriod(
  from: number | undefined,
  to: number | undefined,
  hint = "The end of a period is excluded: 'to' is the first instant after it.",
): void {
  if (from === undefined || to === undefined || to >= from) return
  throwInvalid("'to' must not be before 'from'.", { name: 'to', hint })
}

/** False for 31 February, which `Date` reads as a day in March. */
function isCalendarDate(text: string): boolean {
  const midnight = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(text)
}

/** A JSON object of at most `maxBytes`, as a copy. */
export function parseJsonObject(value: unknown, rule: Rule & { readonly maxBytes: number }): Record<string, unknown> {
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch {}
  if (json?.startsWith('{') && json.isWellFormed() && Buffer.byteLength(json) <= rule.maxBytes)
    return JSON.parse(json) as Record<string, unknown>
  return throwInvalid(
    `'${rule.name}' must be a JSON object of at most ${rule.maxBytes.toLocaleString('en')} bytes.`,
    rule,
  )
}

/** The actor of a call for which an operator is responsible. */
export function parseActor(actor: unknown): string {
  return parseText(actor, { name: 'actor', maxBytes: ACTOR_MAX_BYTES, hint: "Example: { actor: 'alice' }." })
}

/** The actor; `'app'` by default. */
export function parseOptionalActor(actor: unknown): string {
  return actor === undefined ? 'app' : parseActor(actor)
}

export function parseReason(reason: unknown): string {
  return parseText(reason, { name: 'reason', maxBytes: REASON_MAX_BYTES, hint: "Example: { reason: 'ticket 4711' }." })
}

export function parseOptionalReason(reason: unknown): string | undefined {
  return reason === undefined ? undefined : parseReason(reason)
}

/** The version a write is conditional on. */
export function parseExpectedVersion(version: unknown): number | undefined {
  if (version === undefined) return undefined
  return parseInteger(version, { name: 'expectedVersion', min: 0, hint: 'Pass the version you have read.' })
}

/** The number of rows of a page: 0 to 1,000, by default 50. */
export function parsePageLimit(limit: unknown): number {
  return limit === undefined ? PAGE_LIMIT_DEFAULT : parseInteger(limit, { name: 'limit', min: 0, max: PAGE_LIMIT_MAX })
}
