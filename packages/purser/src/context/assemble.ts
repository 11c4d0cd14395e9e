import { hash } from 'node:crypto'
import type { Mode, Stability } from '../options/context-section.ts'
import type { Context, ContextSection, Reason, ResolvedContext } from './api.ts'
import { type CacheEntry, renderEntry } from './cache-entry.ts'
import { type FittableSection, fitAll, fitSections } from './fit-sections.ts'
import { fitFrame, frameOf, type Layout, layOut, NO_FRAME, type Paragraph } from './layout.ts'
import type { ContextLimits } from './limits.ts'
import type { ClockText } from './render/clock.ts'
import { estimateTokens, toTokens, weigh } from './render/token-weight.ts'
import type { SectionRuntime } from './section-runtime.ts'

/** The data that was found for one section. */
export interface SectionResult {
  readonly section: SectionRuntime
  readonly entry: CacheEntry | undefined
  /** As new as this caller can get it, whatever its age. */
  readonly isFresh: boolean
  /** When the section was frozen, epoch ms; it is rendered as of then. */
  readonly frozenAt?: number | undefined
  /** Why there is no fresh data. */
  readonly reason?: Reason | undefined
  /** The user's context is switched off: there is no text at all. */
  readonly isWithheld?: boolean | undefined
  /** The source was not called, because there is no query for it. */
  readonly isSkipped?: boolean | undefined
}

export interface AssembledContext {
  readonly context: ResolvedContext
  /** Names of the sections that the token budget has shortened or omitted. */
  readonly cutByBudget: ReadonlySet<string>
  /** When time alone changes the text, epoch ms. */
  readonly changesAt: number
}

export interface AssembleOptions {
  /** Namespace and user. */
  readonly owner: readonly [string, string]
  readonly mode: Mode
  readonly now: number
  readonly timeZone: string
  readonly clock: ClockText
  readonly maxTokens: number
}

interface RenderedSection extends FittableSection {
  readonly name: string
  /** Its position in the text: what changes least is first. */
  readonly rank: number
  readonly stableLength: number
  readonly status: ContextSection['status']
  readonly reason: Reason | null
  readonly loadedAt: string | null
  readonly changesAt: number
}

/** Assembles a context from loaded data. Equal results within one minute give equal bytes. */
export function assemble(
  results: readonly SectionResult[],
  options: AssembleOptions,
  limits: ContextLimits,
): AssembledContext {
  const { mode, clock, maxTokens } = options
  const rendered = results.map((result) => renderSection(result, options, limits))
  const changesAt = Math.min(clock.changesAt, ...rendered.map((section) => section.changesAt))
  const isWithheld = results.some((result) => result.isWithheld)
  const frame = isWithheld ? NO_FRAME : frameOf(mode, clock.text)
  const fixedText = `${frame.head}\n\n${frame.clock}`
  const fitted = fitAll(rendered, maxTokens, fixedText) ? undefined : fitSections(rendered, { maxTokens, fixedText })
  const sections = rendered.map((section): ContextSection => {
    const { text, weight, cut } = fitted?.get(section) ?? section
    const { name, status, reason, loadedAt } = section
    return Object.freeze({ name, status, reason, loadedAt, text, tokens: toTokens(weight), cut })
  })
  const paragraphs = rendered.map(({ name, rank, stableLength }, index): Paragraph => {
    const { text } = sections[index] as ContextSection
    const isWhole = text === rendered[index]?.text
    return { name, rank, text, stableLength: isWhole || stableLength === 0 ? stableLength : text.length }
  })
  const layout = layOut(paragraphs, fitFrame(frame, maxTokens), mode)
  const cutByBudget = new Set<string>()
  for (const [index, { name, text }] of sections.entries()) if (text !== rendered[index]?.text) cutByBudget.add(name)
  return { context: buildContext(sections, layout, options), cutByBudget, changesAt }
}

const STABILITY_RANKS: Readonly<Record<Stability, number>> = { session: 0, day: 1, turn: 2 }
const ACTIONS_RANK = 3
const QUERY_RANK = 4

function rankOf({ name, stability, needsQuery }: SectionRuntime): number {
  if (needsQuery && stability === 'turn') return QUERY_RANK
  return name === 'actions' && stability === 'turn' ? ACTIONS_RANK : STABILITY_RANKS[stability]
}

function renderSection(result: SectionResult, options: AssembleOptions, limits: ContextLimits): RenderedSection {
  const { section, entry, isSkipped, isWithheld, reason = 'not_loaded' } = result
  const base = {
    name: section.name,
    priority: section.priority,
    rank: rankOf(section),
    loadedAt: null,
    changesAt: NEVER,
  }
  const shrink = (): typeof NOTHING => NOTHING
  if (isSkipped) return { ...base, ...NOTHING, status: 'empty', reason: null, stableLength: 0, shrink }
  const loaded = entry && renderLoaded({ ...result, entry }, options, limits)
  if (loaded !== undefined) return { ...base, ...loaded }
  const text = isWithheld ? '' : section.placeholder(options.mode, 'unavailable')
  const cause = entry === undefined ? reason : 'render_failed'
  const size = { weight: weigh(text), stableLength: text.length, cut: 0 }
  return { ...base, status: 'unavailable', reason: cause, text, ...size, shrink }
}

/** Undefined if the renderer has failed. */
function renderLoaded(
  { section, entry, isFresh, frozenAt, reason = 'not_loaded' }: SectionResult & { readonly entry: CacheEntry },
  { mode, now, timeZone }: AssembleOptions,
  limits: ContextLimits,
): Omit<RenderedSection, 'name' | 'priority' | 'rank'> | undefined {
  const isFrozen = frozenAt !== undefined
  const render = (maxTokens: number) =>
    renderEntry(section, entry, { mode, now: frozenAt ?? now, timeZone, maxTokens, isFrozen }, limits)
  const { text, weight, cut, hasFailed, ...rendered } = render(Number.POSITIVE_INFINITY)
  if (hasFailed) return undefined
  const status = !isFresh ? ('stale' as const) : entry.data.isEmpty ? ('empty' as const) : ('fresh' as const)
  const stableLength = rankOf(section) === QUERY_RANK ? 0 : rendered.stableLength
  return {
    status,
    reason: status === 'stale' ? reason : null,
    loadedAt: new Date(entry.loadedAt).toISOString(),
    text,
    weight,
    stableLength: isFrozen ? text.length : stableLength,
    cut,
    changesAt: isFrozen ? NEVER : rendered.changesAt,
    shrink: (maxTokens) => (entry.data.isEmpty ? NOTHING : render(maxTokens)),
  }
}

const NEVER = Number.POSITIVE_INFINITY
const NOTHING = { text: '', weight: 0, cut: 0 }

function buildContext(
  sections: readonly ContextSection[],
  { text, prefix, clock }: Layout,
  { owner, mode }: AssembleOptions,
): ResolvedContext {
  const textOf = (name: string): string | undefined => sections.find((section) => section.name === name)?.text
  const list = textOf('actions')
  const actions = mode === 'plain' || list === undefined ? (list ?? '') : [list, clock].filter(Boolean).join('\n')
  const context: Context = {
    details: textOf('profile') ?? '',
    actions,
    text,
    status: statusOf(sections),
    prefixHash: hash('sha256', JSON.stringify([...owner, prefix]), 'base64url'),
    tokens: estimateTokens(text),
    sections: Object.freeze(sections),
  }
  let digest: string | undefined
  Object.defineProperty(context, 'digest', {
    enumerable: false,
    get: () => {
      digest ??= digestOf(sections)
      return digest
    },
  })
  return Object.freeze(context) as ResolvedContext
}

function statusOf(sections: readonly ContextSection[]): Context['status'] {
  const missing = sections.filter((section) => section.status === 'unavailable').length
  if (missing > 0) return missing === sections.length ? 'default' : 'partial'
  return sections.some((section) => section.status === 'stale') ? 'stale' : 'fresh'
}

/** Digest of the text of the sections, without the current time and without statuses. */
function digestOf(sections: readonly ContextSection[]): string {
  const texts = sections.map(({ name, text }) => [name, text])
  return hash('sha256', JSON.stringify(texts), 'base64url')
}
