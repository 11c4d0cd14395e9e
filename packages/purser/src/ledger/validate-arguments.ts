import { type ErrorCode, PurserError, suggestion } from '../errors.ts'

/** Checks of what callers pass. All throw before anything is read or written. */

export function refuse(code: ErrorCode, message: string, hint?: string, param?: string): never {
  throw new PurserError(code, message, { hint, details: param === undefined ? undefined : { param } })
}

/** Refuses fields that do not exist, with the one that was probably meant. */
export function onlyKnown(given: unknown, known: readonly string[], fault: { what: string; code: ErrorCode }): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    refuse(fault.code, `${fault.what} must be an object.`, `Known here: ${known.join(', ')}.`)
  for (const field of Object.keys(given)) {
    if (known.includes(field)) continue
    refuse(
      fault.code,
      `There is no field '${field.slice(0, 64)}' in ${fault.what}.`,
      suggestion(field.slice(0, 64), known) || `Known here: ${known.join(', ')}.`,
      field.slice(0, 64),
    )
  }
}

export interface TextRule {
  readonly name: string
  readonly maxBytes: number
  readonly code?: ErrorCode
}

/** Non-empty, well-formed text within its limit. */
export function text(value: unknown, { name, maxBytes, code = 'argument_invalid' }: TextRule): string {
  if (typeof value === 'string' && value !== '' && value.isWellFormed() && Buffer.byteLength(value) <= maxBytes)
    return value
  return refuse(code, `${name} must be text of 1 to ${maxBytes.toLocaleString('en')} bytes.`, undefined, name)
}

export function optionalText(value: unknown, rule: TextRule): string | undefined {
  return value === undefined ? undefined : text(value, rule)
}

export const ACTOR_MAX_BYTES = 256
export const REASON_MAX_BYTES = 1_024

export function actorOf(value: unknown): string {
  if (value === undefined)
    refuse('argument_invalid', 'This action needs an actor.', 'Say who does it: { actor: "name" }.', 'actor')
  return text(value, { name: 'actor', maxBytes: ACTOR_MAX_BYTES })
}

export function reasonOf(value: unknown): string {
  if (value === undefined)
    refuse('argument_invalid', 'This action needs a reason.', 'Say why: { reason: "…" }.', 'reason')
  return text(value, { name: 'reason', maxBytes: REASON_MAX_BYTES })
}

/** An ISO 8601 instant with its offset, as epoch ms. */
export function instantOf(
  value: unknown,
  { name, code = 'argument_invalid' }: { name: string; code?: ErrorCode },
): number {
  const text = typeof value === 'string' ? value : ''
  const isWhole = /^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:?\d\d)$/i.test(text) && isDate(text.slice(0, 10))
  const epochMs = isWhole ? Date.parse(text) : Number.NaN
  if (Number.isFinite(epochMs)) return epochMs
  return refuse(code, `${name} must be an instant in ISO 8601, such as '2026-01-31T12:00:00Z'.`, undefined, name)
}

/** Not the 31st of February, which `Date` takes for a day in March. */
function isDate(text: string): boolean {
  const midnight = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(text)
}

export function wholeNumber(
  value: unknown,
  range: { name: string; least: number; most: number; code?: ErrorCode },
): number {
  if (Number.isSafeInteger(value) && (value as number) >= range.least && (value as number) <= range.most)
    return value as number
  const bounds =
    range.most === Number.MAX_SAFE_INTEGER
      ? `${range.least} or more`
      : `${range.least} to ${range.most.toLocaleString('en')}`
  return refuse(
    range.code ?? 'argument_invalid',
    `${range.name} must be a whole number of ${bounds}.`,
    undefined,
    range.name,
  )
}

/** A JSON object within its limit, as its own copy. */
export function jsonObject(value: unknown, rule: TextRule): Record<string, unknown> {
  const { name, maxBytes, code = 'argument_invalid' } = rule
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch {}
  if (json?.startsWith('{') && json.isWellFormed() && Buffer.byteLength(json) <= maxBytes)
    return JSON.parse(json) as Record<string, unknown>
  return refuse(
    code,
    `${name} must be a JSON object of at most ${maxBytes.toLocaleString('en')} bytes.`,
    undefined,
    name,
  )
}

const MAX_PAGE = 1_000
const USUAL_PAGE = 50

/** How many to give at once: 0 to 1,000, by default 50. */
export function pageLimit(limit: unknown): number {
  return limit === undefined ? USUAL_PAGE : wholeNumber(limit, { name: 'limit', least: 0, most: MAX_PAGE })
}
