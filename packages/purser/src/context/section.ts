import type { Subject } from '../core/subject.ts'
import type { Mode, Render, RenderContext, Rendered, SourceOptions, Stability } from '../options/context-section.ts'
import { ACTION_PLACEHOLDERS, ACTION_TEMPLATES } from '../templates/action-templates.ts'
import { PLAIN_WORDING } from '../templates/plain-wording.ts'
import { PROFILE_PLACEHOLDERS } from '../templates/profile-templates.ts'
import { PROMPT_WORDING } from '../templates/prompt-wording.ts'
import { type ActionRow, parseActionRows } from './action-rows.ts'
import { copyData, type JsonValue } from './copy-data.ts'
import type { ContextLimits } from './limits.ts'
import { type IsIgnored, renderActions } from './render/actions.ts'
import { renderDefault } from './render/default.ts'
import { renderPlainActions, renderPlainProfile } from './render/plain.ts'
import { type Fields, renderProfile } from './render/profile.ts'
import { fits } from './render/text-budget.ts'
import { takeWeight, WEIGHT_PER_TOKEN, weigh } from './render/token-weight.ts'

/** One section of a context: where its data comes from and how it is rendered. */
export interface Section {
  readonly name: string
  readonly source: SectionSource
  readonly ttlMs: number
  /** Of empty data. */
  readonly emptyTtlMs: number
  readonly maxStaleMs: number
  /** How long a call waits for it at most. */
  readonly budgetMs: number
  readonly needsQuery: boolean
  /** Copies what the source returned. Throws if it is not data of this section. */
  parse(data: unknown): SectionData
  /** Restores data that was stored as JSON. */
  restore(value: unknown): SectionData
  readonly stability: Stability
  /** Sections with a higher number stay longer when the whole is too large. */
  readonly priority: number
  /** `context.maxTokens`: what is left for this section, at most. Its own limits hold as well. */
  render(data: SectionData, context: Pick<RenderContext, 'mode' | 'now' | 'timeZone' | 'maxTokens'>): SectionText
  /** Text without data: there is none, or it could not be loaded. */
  placeholder(mode: Mode, reason: 'empty' | 'unavailable'): string
}

export interface SectionSource {
  readonly kind: 'store' | 'function' | 'http'
  /** Reads Purser's own store. No last good data is stored for it. */
  readonly isBuiltIn: boolean
  load(user: Subject, options: SourceOptions): unknown
  close(): Promise<void>
}

/** Data of a section as it is cached. */
export interface SectionData {
  readonly value: JsonValue
  readonly isEmpty: boolean
  /** Approximate size in memory. */
  readonly bytes: number
  /** Texts in it that were shortened. */
  readonly shortened: number
}

export interface SectionText {
  readonly text: string
  /** Estimated size, in quarters of a token. */
  readonly weight: number
  /** Of the text, the first characters that change least. */
  readonly stableLength: number
  readonly cut: number
  /** Epoch ms. */
  readonly renderedAt: number
  /** Epoch ms. */
  readonly changesAt: number
  /** The application's renderer threw: there is no text. */
  readonly hasFailed: boolean
}

export interface SectionConfig {
  readonly name: string
  readonly source: SectionSource
  readonly ttlMs: number
  readonly emptyTtlMs: number
  readonly maxStaleMs: number
  readonly budgetMs: number
  readonly needsQuery: boolean
  readonly maxBytes: number
  readonly maxTokens: number
  readonly maxItems: number
  readonly priority: number
  readonly stability: Stability
  readonly render: Render | undefined
  readonly isIgnored: (mode: Mode) => IsIgnored
  readonly limits: ContextLimits
}

export function createSection(config: SectionConfig): Section {
  const {
    name,
    source,
    ttlMs,
    emptyTtlMs,
    maxStaleMs,
    budgetMs,
    needsQuery,
    maxBytes,
    maxItems,
    priority,
    stability,
    limits,
  } = config
  const isOwnRenderer = config.render !== undefined
  const renderer = config.render === undefined ? createBuiltInRenderer(config) : (config.render as Renderer)
  return {
    name,
    source,
    ttlMs,
    emptyTtlMs,
    maxStaleMs,
    budgetMs,
    needsQuery,
    priority,
    stability,
    parse: (data) => parseSectionData(name, data, limits),
    restore: (value) => toSectionData(copyData(value, limits)),
    render(data, { mode, now, timeZone, ...available }) {
      if (data.isEmpty) return toSectionText(placeholder(name, mode, 'empty'), { renderedAt: now })
      const maxTokens = Math.min(config.maxTokens, available.maxTokens)
      // A renderer of the application is called alike for all budgets; its text is truncated.
      const context = { mode, now, timeZone, maxBytes, maxItems }
      const limit = isOwnRenderer ? config.maxTokens : maxTokens
      try {
        const {
          text,
          cut = 0,
          changesAt,
          stableLength,
        } = parseRendered(renderer(data.value, { ...context, maxTokens: limit }))
        const fitting = truncate(text, { maxBytes, maxTokens })
        const truncated = fitting === text ? 0 : 1
        return toSectionText(fitting, {
          cut: cut + data.shortened + truncated,
          renderedAt: now,
          changesAt,
          stableLength,
        })
      } catch {
        return { ...toSectionText(placeholder(name, mode, 'unavailable'), { renderedAt: now }), hasFailed: true }
      }
    },
    placeholder: (mode, reason) => placeholder(name, mode, reason),
  }
}

function toSectionText(
  text: string,
  {
    cut = 0,
    renderedAt,
    changesAt = Number.POSITIVE_INFINITY,
    stableLength = text.length,
  }: Pick<BuiltInText, 'cut' | 'changesAt' | 'stableLength'> & { readonly renderedAt: number },
): SectionText {
  return {
    text,
    weight: weigh(text),
    stableLength: Math.min(stableLength, text.length),
    cut,
    renderedAt,
    changesAt,
    hasFailed: false,
  }
}

type Renderer = (data: JsonValue, context: RenderContext) => string | BuiltInText

interface BuiltInText extends Rendered {
  readonly stableLength?: number | undefined
}

function createBuiltInRenderer({ name, isIgnored }: SectionConfig): Renderer {
  if (name === 'actions') {
    return (data, { mode, ...context }) => {
      if (!Array.isArray(data)) return String(data)
      const rows = data as unknown as ActionRow[]
      return mode === 'plain'
        ? renderPlainActions(rows, context, isIgnored(mode))
        : renderActions(rows, { mode, ...context }, isIgnored(mode))
    }
  }
  if (name === 'profile') {
    return (data, { mode, ...context }) => {
      if (typeof data === 'string') return data
      const fields = data as Fields
      return mode === 'plain' ? renderPlainProfile(fields, context) : renderProfile(fields, { mode, ...context })
    }
  }
  return (data, context) => renderDefault(name, data, context)
}

function parseRendered(rendered: string | BuiltInText): BuiltInText {
  if (typeof rendered === 'string') return { text: rendered }
  if (typeof rendered?.text === 'string') return rendered
  throw new TypeError('A renderer must return text or { text }.')
}

/** Text within its limits, truncated between characters, with an ellipsis. */
function truncate(text: string, limits: { readonly maxBytes: number; readonly maxTokens: number }): string {
  if (fits(text, limits)) return text
  const { maxBytes, maxTokens } = limits
  const bytes = Buffer.from(text).subarray(0, Math.max(0, maxBytes - Buffer.byteLength(ELLIPSIS)))
  const withinBytes = bytes.toString().replace(/\uFFFD+$/, '')
  const start = takeWeight(withinBytes, maxTokens * WEIGHT_PER_TOKEN - weigh(ELLIPSIS))
  return start === '' ? '' : `${start}${ELLIPSIS}`
}

const ELLIPSIS = '…'

function parseSectionData(section: string, data: unknown, limits: ContextLimits): SectionData {
  const copied = copyData(data, limits)
  const { value } = copied
  if (value === null || typeof value === 'string') return toSectionData(copied)
  if (typeof value !== 'object') throw new TypeError(`The source of '${section}' returned a ${typeof data}.`)
  if (section === 'profile' && Array.isArray(value))
    throw new TypeError('The source of the profile returned a list, not an object.')
  if (section !== 'actions') return toSectionData(copied)
  if (!Array.isArray(value)) throw new TypeError('The source of the actions returned an object, not a list.')
  const rows = Object.freeze(parseActionRows(value).map((row) => Object.freeze(row)))
  return toSectionData({ ...copied, value: rows as unknown as JsonValue })
}

function toSectionData({ value, bytes, shortened }: Omit<SectionData, 'isEmpty'>): SectionData {
  return { value, isEmpty: isEmpty(value), bytes, shortened }
}

function isEmpty(value: JsonValue): boolean {
  if (value === null || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

function placeholder(section: string, mode: Mode, reason: 'empty' | 'unavailable'): string {
  if (mode === 'plain') return reason === 'empty' ? '' : PLAIN_WORDING.sectionUnavailable(section)
  if (section === 'profile') return PROFILE_PLACEHOLDERS[reason]
  if (section === 'actions') return ACTION_TEMPLATES[mode].wrap(ACTION_PLACEHOLDERS[reason])
  return reason === 'empty' ? PROMPT_WORDING.sectionEmpty(section) : PROMPT_WORDING.sectionUnavailable(section)
}
