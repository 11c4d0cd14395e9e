import type { AbortSignalLike } from '../core/call-signal.ts'
import {
  parseInteger,
  parseOneOf,
  parseText,
  parseTimeLimit,
  throwInvalid,
  validateFields,
  validateSignal,
} from '../core/validate.ts'
import type { Mode } from '../options/context-section.ts'
import type { ResolveOptions } from './api.ts'
import { MODES } from './modes.ts'
import type { ClockPrecision } from './render/clock.ts'
import { shorten } from './render/sanitize.ts'
import { zoneOf } from './render/zone.ts'
import type { SectionRuntime } from './section-runtime.ts'

/** The options of one call of `resolve`, validated and with their defaults. */
export interface ParsedResolveOptions {
  readonly mode: Mode
  readonly budgetMs: number
  readonly maxTokens: number
  readonly maxAgeMs: number | undefined
  readonly timeZone: string | undefined
  readonly session: string | undefined
  /** Undefined also if no section gets it. */
  readonly query: string | undefined
  readonly sections: readonly SectionRuntime[]
  readonly clock: ClockPrecision
  readonly signal: AbortSignalLike | undefined
  /** Equal for calls that may share one context. */
  readonly key: string
}

export interface ResolveDefaults {
  readonly mode: Mode
  readonly budgetMs: number
  readonly maxTokens: number
  readonly clock: ClockPrecision | 'auto'
  readonly sections: readonly SectionRuntime[]
}

const OPTIONS = [
  'mode',
  'budgetMs',
  'maxTokens',
  'maxAgeMs',
  'timeZone',
  'session',
  'sections',
  'query',
  'signal',
  'keep',
]
const OPTIONS_RULE = { name: 'options' }
const NO_OPTIONS: ResolveOptions = {}
const MODE_RULE = { name: 'mode', hint: 'Default: the option context.mode.' }
const BUDGET_RULE = { name: 'budgetMs', hint: 'Default: the option context.budgetMs.' }
const MAX_TOKENS_RULE = { name: 'maxTokens', min: 0, hint: 'Default: the option context.maxTokens.' }
const SESSION_RULE = { name: 'session', maxBytes: 256 }
const MAX_QUERY_CHARACTERS = 400
const MAX_AGE_RULE = { name: 'maxAgeMs', hint: 'Default: data of any age.' }

/** Throws `argument_invalid`. */
export function parseResolveOptions(
  options: ResolveOptions | undefined,
  defaults: ResolveDefaults,
): ParsedResolveOptions {
  if (options !== undefined) validateFields(options, OPTIONS, OPTIONS_RULE)
  const input = options ?? NO_OPTIONS
  const mode = parseMode(input.mode, defaults.mode)
  const timeZone = parseTimeZone(input.timeZone)
  validateSignal(input.signal)
  const isCacheable = parseKeep(input.keep)
  const sections = parseSections(input.sections, defaults.sections)
  const clock = defaults.clock !== 'auto' ? defaults.clock : isCacheable ? 'off' : 'minute'
  const maxTokens = parseMaxTokens(input.maxTokens, defaults.maxTokens)
  // Only where it makes a difference, so that other sessions share one context.
  const session = sections.some(({ stability }) => stability === 'session') ? parseSession(input.session) : undefined
  const query = sections.some(({ needsQuery }) => needsQuery) ? parseQuery(input.query) : undefined
  const isDefault =
    timeZone === undefined &&
    session === undefined &&
    query === undefined &&
    sections === defaults.sections &&
    !isCacheable &&
    input.maxTokens === undefined
  return {
    mode,
    budgetMs: parseTimeLimit(input.budgetMs, BUDGET_RULE) ?? defaults.budgetMs,
    maxTokens,
    maxAgeMs: parseTimeLimit(input.maxAgeMs ?? undefined, MAX_AGE_RULE),
    timeZone,
    session,
    query,
    sections,
    clock,
    signal: input.signal,
    key: isDefault
      ? mode
      : `${mode} ${clock} ${maxTokens} ${timeZone ?? ''} ${sections.map(({ name }) => name).join()} ${session ?? ''}\n${query ?? ''}`,
  }
}

export function parseMode(mode: unknown, defaultMode: Mode): Mode {
  return mode === undefined ? defaultMode : parseOneOf(mode, MODES, MODE_RULE)
}

function parseMaxTokens(maxTokens: unknown, defaultMaxTokens: number): number {
  if (maxTokens === undefined) return defaultMaxTokens
  return maxTokens === null ? Number.POSITIVE_INFINITY : parseInteger(maxTokens, MAX_TOKENS_RULE)
}

function parseSession(session: unknown): string | undefined {
  return session === undefined ? undefined : parseText(session, SESSION_RULE)
}

/** Undefined for blank text. Services limit the length of a query, Zep to 400 characters. */
function parseQuery(query: unknown): string | undefined {
  if (query === undefined) return undefined
  if (typeof query !== 'string')
    throwInvalid("'query' must be text.", { name: 'query', hint: 'What the user wrote last.' })
  const text = query.toWellFormed().trim()
  return text === '' ? undefined : shorten(text, MAX_QUERY_CHARACTERS)
}

function parseTimeZone(timeZone: unknown): string | undefined {
  if (timeZone === undefined || (typeof timeZone === 'string' && zoneOf(timeZone) !== undefined)) return timeZone
  return throwInvalid("'timeZone' must be an IANA time zone.", {
    name: 'timeZone',
    hint: "Example: 'Asia/Kolkata' or 'UTC'.",
  })
}

function parseKeep(keep: unknown): boolean {
  if (keep !== undefined && typeof keep !== 'boolean') throwInvalid("'keep' must be true or false.", { name: 'keep' })
  return keep === true
}

/** In the configured order, whatever the order of `names`, so that equal calls give equal bytes. */
function parseSections(names: unknown, all: readonly SectionRuntime[]): readonly SectionRuntime[] {
  if (names === undefined) return all
  if (!Array.isArray(names))
    throwInvalid("'sections' must be a list of names.", { name: 'sections', hint: 'Default: all sections.' })
  for (const name of names) validateSectionName(name, all, 'sections')
  const selected = all.filter((section) => names.includes(section.name))
  return selected.length === all.length ? all : selected
}

/** `param`: the option with the name. */
export function validateSectionName(name: unknown, all: readonly SectionRuntime[], param: string): void {
  if (all.some((section) => section.name === name)) return
  throwInvalid(`Unknown section '${String(name).slice(0, 64)}'.`, {
    name: param,
    hint: `Valid sections: ${all.map((section) => section.name).join(', ')}.`,
  })
}
