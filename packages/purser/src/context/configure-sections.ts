import type { Subject } from '../core/subject.ts'
import { isObject } from '../core/validate.ts'
import { PurserError, suggestion } from '../errors.ts'
import type { HttpSource, Mode, Render, SectionOption, SourceFunction } from '../options/context-section.ts'
import type { ContextOptions } from '../options.ts'
import { IGNORED_ACTIONS } from '../templates/action-templates.ts'
import type { ContextLimits } from './limits.ts'
import type { IsIgnored } from './render/actions.ts'
import { parseTextTemplate } from './render/text-template.ts'
import { createSection, type Section, type SectionConfig, type SectionSource } from './section.ts'

/** Creates the sources of sections without one of their own, and those that are called over HTTP. */
export interface SourceFactory {
  createBuiltIn(section: 'profile' | 'actions'): SectionSource
  createHttp(source: HttpSource, options: { readonly section: string; readonly needsQuery: boolean }): SectionSource
}

const BUILT_IN = ['profile', 'actions'] as const
const SECTION_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
const MIN_BYTES = 1_024
const DEFAULT_BYTES = { actions: 32_768, others: 8_192 }
const DEFAULT_ITEMS = 500

/** The configured sections: profile and actions first, then the application's own in the order of the options. */
export function createSections(options: ContextOptions, limits: ContextLimits, factory: SourceFactory): Section[] {
  for (const name of Object.keys(options.sources)) {
    if (!isBuiltIn(name)) throw unknownOption(`context.sources.${name}`, name, BUILT_IN)
  }
  const own = Object.keys(options.sections).filter((name) => !isBuiltIn(name))
  return [...BUILT_IN, ...own].map((name) => createConfiguredSection(name, options, { limits, factory }))
}

/** What the context needs to know about a user before anything else. */
export interface UserSettings {
  /** Null: the application's. */
  readonly timeZone: string | null
  /** Whether their context may be used. */
  readonly isEnabled: boolean
}

/**
 * The users' own settings, loaded and cached like a section but never rendered. Names of configured sections cannot begin
 * with `@`.
 */
export function createUserSection(
  load: (user: Subject) => Promise<UserSettings>,
  { ttlMs, maxStaleMs }: ContextOptions,
  limits: ContextLimits,
): Section {
  return createSection({
    name: '@user',
    source: { kind: 'store', isBuiltIn: true, load, close: async () => undefined },
    ttlMs,
    emptyTtlMs: ttlMs,
    maxStaleMs,
    // That of the call alone, which may be longer than the configured one.
    budgetMs: Number.POSITIVE_INFINITY,
    needsQuery: false,
    maxBytes: 0,
    maxTokens: 0,
    maxItems: 0,
    priority: 0,
    stability: 'turn',
    render: () => '',
    isIgnored: () => () => false,
    limits,
  })
}

function createConfiguredSection(
  name: string,
  options: ContextOptions,
  { limits, factory }: { limits: ContextLimits; factory: SourceFactory },
): Section {
  const path = `context.sections.${name}`
  if (!SECTION_NAME.test(name))
    throw invalidOption(path, 'a name of at most 64 letters, digits, - and _, beginning with a letter')
  const option = parseSectionOption(options.sections[name], path)
  const source = option.source ?? (isBuiltIn(name) ? options.sources[name] : undefined)
  const needs = option.needs ?? (isObject(source) ? source.needs : undefined)
  if (needs !== undefined && needs !== 'query') throw invalidOption(`${path}.needs`, "'query'")
  const needsQuery = needs === 'query'
  const ttlMs = option.ttlMs ?? options.ttlMs
  return createSection({
    name,
    source: createSource({ section: name, source, needsQuery }, factory),
    ttlMs,
    emptyTtlMs: option.emptyTtlMs ?? ttlMs,
    budgetMs: option.budgetMs ?? Number.POSITIVE_INFINITY,
    needsQuery,
    maxStaleMs: option.maxStaleMs ?? options.maxStaleMs,
    ...limitsOf(name, option),
    stability: option.stability ?? 'turn',
    render: createRender(option.render, `${path}.render`),
    isIgnored: createIsIgnored(option.ignore),
    limits,
  })
}

function limitsOf(
  name: string,
  { maxBytes, maxTokens, maxItems, priority }: SectionOption,
): Pick<SectionConfig, 'maxBytes' | 'maxTokens' | 'maxItems' | 'priority'> {
  const isActions = name === 'actions'
  return {
    maxBytes: maxBytes ?? (isActions ? DEFAULT_BYTES.actions : DEFAULT_BYTES.others),
    maxTokens: maxTokens ?? Number.POSITIVE_INFINITY,
    maxItems: maxItems ?? DEFAULT_ITEMS,
    priority: priority ?? (isActions ? -1 : 0),
  }
}

type Check = readonly [expected: string, isValid: (value: unknown) => boolean]

const isDuration = (value: unknown): boolean => Number(value) >= 0
const isIntegerFrom =
  (min: number) =>
  (value: unknown): boolean =>
    Number.isSafeInteger(value) && (value as number) >= min

/** Source, needs and ignored names are checked where they are used. */
const CHECKS: Readonly<Record<keyof SectionOption, Check | undefined>> = {
  source: undefined,
  render: ['a function or a text with placeholders', (value) => /^(function|string)$/.test(typeof value)],
  needs: undefined,
  ttlMs: ['a number of milliseconds, 0 or more', isDuration],
  emptyTtlMs: ['a number of milliseconds, 0 or more', isDuration],
  budgetMs: ['a number of milliseconds, 0 or more', isDuration],
  maxStaleMs: ['a number of milliseconds, 0 or more', isDuration],
  maxBytes: [`an integer of ${MIN_BYTES} or more`, isIntegerFrom(MIN_BYTES)],
  maxTokens: ['an integer of 1 or more', isIntegerFrom(1)],
  priority: ['a number', Number.isFinite],
  stability: ["'session', 'day' or 'turn'", (value) => ['session', 'day', 'turn'].includes(value as string)],
  maxItems: ['an integer of 1 or more', isIntegerFrom(1)],
  ignore: undefined,
}
const FIELDS = Object.keys(CHECKS)

function parseSectionOption(option: unknown, path: string): SectionOption {
  if (option === undefined) return {}
  // A function, or an object with a url, is a source without further fields.
  if (typeof option === 'function' || (isObject(option) && 'url' in option)) return { source: option as SourceFunction }
  if (!isObject(option)) throw invalidOption(path, 'an object, a function or { url }')
  for (const [field, value] of Object.entries(option)) {
    if (!FIELDS.includes(field)) throw unknownOption(`${path}.${field}`, field, FIELDS)
    const check = CHECKS[field as keyof SectionOption]
    if (value === undefined || check === undefined) continue
    const [expected, isValid] = check
    if (!isValid(value)) throw invalidOption(`${path}.${field}`, expected)
  }
  return option
}

function createSource(
  { section, source, needsQuery }: { readonly section: string; readonly source: unknown; readonly needsQuery: boolean },
  factory: SourceFactory,
): SectionSource {
  if (source === undefined) {
    if (isBuiltIn(section)) return factory.createBuiltIn(section)
    throw new PurserError('option_invalid', `The section '${section}' has no source.`, {
      hint: `Set context.sections.${section}.source to a function of the user id, or to { url }.`,
    })
  }
  if (typeof source === 'function') {
    const load = source as SourceFunction
    return {
      kind: 'function',
      isBuiltIn: false,
      load: ({ id }, options) => load(id, options),
      close: async () => undefined,
    }
  }
  if (isObject(source) && typeof source.url === 'string')
    return factory.createHttp(source as unknown as HttpSource, { section, needsQuery })
  throw invalidOption(`the source of '${section}'`, 'a function or { url }')
}

function createRender(render: SectionOption['render'], path: string): Render | undefined {
  if (typeof render !== 'string') return render
  try {
    return parseTextTemplate(render)
  } catch (error) {
    throw new PurserError(
      'option_invalid',
      `The option '${path}' is not a valid template: ${(error as Error).message}.`,
      {
        hint: "Example: 'Name: {name}'.",
        details: { option: path },
      },
    )
  }
}

function createIsIgnored(ignore: SectionOption['ignore']): (mode: Mode) => IsIgnored {
  if (typeof ignore === 'function') return () => (action) => ignore(action) === true
  if (ignore !== undefined && !Array.isArray(ignore))
    throw invalidOption('context.sections.actions.ignore', 'a list of names or a function')
  const names = new Set<string>(ignore ?? [])
  const defaultNames = new Set(ignore ?? IGNORED_ACTIONS)
  return (mode) => (action) => (mode === 'plain' ? names : defaultNames).has(action)
}

function isBuiltIn(name: string): name is (typeof BUILT_IN)[number] {
  return name === 'profile' || name === 'actions'
}

function invalidOption(path: string, expected: string): PurserError {
  return new PurserError('option_invalid', `The option '${path}' must be ${expected}.`, { details: { option: path } })
}

function unknownOption(path: string, name: string, known: readonly string[]): PurserError {
  return new PurserError('option_unknown', `Unknown option '${path}'.`, {
    hint: suggestion(name, known) || `Valid options: ${known.join(', ')}.`,
  })
}
