import { PurserError, suggestion } from '../errors.ts'
import type { ContextOptions } from '../options.ts'
import type { HttpSource, Render, SectionOption, SourceFunction } from './api.ts'
import type { ContextLimits } from './limits.ts'
import { IGNORED_ACTIONS, type Ignores } from './render/actions.ts'
import { createSection, type Section, type SectionSource } from './section.ts'
import { isObject } from './validate-arguments.ts'

/** Makes the supplies of sections that have no source of their own, or one that is called over HTTP. */
export interface Suppliers {
  builtIn(section: 'profile' | 'actions'): SectionSource
  http(source: HttpSource, section: string): SectionSource
}

const BUILT_IN = ['profile', 'actions'] as const
const FIELDS = ['source', 'render', 'ttlMs', 'maxStaleMs', 'maxBytes', 'maxItems', 'ignore']
const SECTION_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/
const LEAST_BYTES = 1_024
const DEFAULT_BYTES = { actions: 32_768, others: 8_192 }
const DEFAULT_ITEMS = 500

/** The sections as configured: profile and actions first, then the application's own in the order of the options. */
export function sectionsOf(options: ContextOptions, limits: ContextLimits, suppliers: Suppliers): Section[] {
  for (const name of Object.keys(options.sources)) {
    if (!isBuiltIn(name)) throw unknown(`context.sources.${name}`, name, BUILT_IN)
  }
  const own = Object.keys(options.sections).filter((name) => !isBuiltIn(name))
  return [...BUILT_IN, ...own].map((name) => sectionOf(name, options, { limits, suppliers }))
}

function sectionOf(
  name: string,
  options: ContextOptions,
  { limits, suppliers }: { limits: ContextLimits; suppliers: Suppliers },
): Section {
  const path = `context.sections.${name}`
  if (!SECTION_NAME.test(name)) throw invalid(path, 'a name of letters, digits, - and _, beginning with a letter')
  const option = optionOf(options.sections[name], path)
  const { maxBytes = name === 'actions' ? DEFAULT_BYTES.actions : DEFAULT_BYTES.others, maxItems = DEFAULT_ITEMS } =
    option
  return createSection({
    name,
    supply: supplyOf(name, option.source ?? options.sources[name], suppliers),
    ttlMs: option.ttlMs ?? options.ttlMs,
    maxStaleMs: option.maxStaleMs ?? options.maxStaleMs,
    maxBytes,
    maxItems,
    render: option.render as Render | undefined,
    ignores: ignoresOf(option.ignore),
    limits,
  })
}

function optionOf(given: unknown, path: string): SectionOption {
  if (given === undefined) return {}
  // A function, or something with a url, is a source without anything else.
  if (typeof given === 'function' || (isObject(given) && 'url' in given)) return { source: given as SourceFunction }
  if (!isObject(given)) throw invalid(path, 'an object, a function or { url }')
  for (const field of Object.keys(given)) if (!FIELDS.includes(field)) throw unknown(`${path}.${field}`, field, FIELDS)
  const option = given as SectionOption
  for (const field of ['ttlMs', 'maxStaleMs'] as const) {
    if (option[field] !== undefined && !(Number(option[field]) >= 0))
      throw invalid(`${path}.${field}`, 'milliseconds, 0 or more')
  }
  if (option.maxBytes !== undefined && !(Number.isSafeInteger(option.maxBytes) && option.maxBytes >= LEAST_BYTES))
    throw invalid(`${path}.maxBytes`, `a whole number of ${LEAST_BYTES} or more`)
  if (option.maxItems !== undefined && !(Number.isSafeInteger(option.maxItems) && option.maxItems >= 1))
    throw invalid(`${path}.maxItems`, 'a whole number of 1 or more')
  if (option.render !== undefined && typeof option.render !== 'function') throw invalid(`${path}.render`, 'a function')
  return option
}

function supplyOf(name: string, source: unknown, suppliers: Suppliers): SectionSource {
  if (source === undefined) {
    if (isBuiltIn(name)) return suppliers.builtIn(name)
    throw new PurserError('option_invalid', `The section '${name}' has no source.`, {
      hint: `Give context.sections.${name}.source: a function of the user id, or { url }.`,
    })
  }
  if (typeof source === 'function') {
    return {
      builtIn: false,
      call: ({ id }, order) => (source as SourceFunction)(id, order),
      close: async () => undefined,
    }
  }
  if (isObject(source) && typeof source.url === 'string') return suppliers.http(source as unknown as HttpSource, name)
  throw invalid(`the source of '${name}'`, 'a function or { url }')
}

function ignoresOf(given: SectionOption['ignore']): Ignores {
  if (typeof given === 'function') return (action) => given(action) === true
  if (given !== undefined && !Array.isArray(given))
    throw invalid('context.sections.actions.ignore', 'a list of names or a function')
  const names = new Set(given ?? IGNORED_ACTIONS)
  return (action) => names.has(action)
}

function isBuiltIn(name: string): name is (typeof BUILT_IN)[number] {
  return name === 'profile' || name === 'actions'
}

function invalid(path: string, expected: string): PurserError {
  return new PurserError('option_invalid', `The option '${path}' must be ${expected}.`, { details: { option: path } })
}

function unknown(path: string, name: string, known: readonly string[]): PurserError {
  return new PurserError('option_unknown', `There is no option '${path}'.`, {
    hint: suggestion(name, known) || `Known here: ${known.join(', ')}.`,
  })
}
