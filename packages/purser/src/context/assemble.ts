import { createHash } from 'node:crypto'
import { PLAIN_WORDING } from '../templates/plain-wording.ts'
import { PROMPT_WORDING } from '../templates/prompt-wording.ts'
import type { Context, ContextSection, Mode, ResolvedContext } from './api.ts'
import { type CacheEntry, renderEntry } from './cache-entry.ts'
import { type FittableSection, fitAll, fitSections } from './fit-sections.ts'
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
}

export interface AssembledContext {
  readonly context: ResolvedContext
  /** When time alone changes the text, epoch ms. */
  readonly changesAt: number
}

export interface AssembleOptions {
  readonly mode: Mode
  readonly now: number
  readonly timeZone: string
  readonly clock: ClockText
  readonly maxTokens: number
}

interface RenderedSection extends FittableSection {
  readonly name: string
  readonly status: ContextSection['status']
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
  const frame = frameOf(mode, clock.text)
  const fixedText = `${frame.head}\n${frame.tail}`
  const fitted = fitAll(rendered, maxTokens, fixedText) ? undefined : fitSections(rendered, { maxTokens, fixedText })
  const sections = rendered.map((section): ContextSection => {
    const { text, weight, cut } = fitted?.get(section) ?? section
    const { name, status, loadedAt } = section
    return Object.freeze({ name, status, loadedAt, text, tokens: toTokens(weight), cut })
  })
  return { context: buildContext(sections, mode, fitFrame(frame, maxTokens)), changesAt }
}

function renderSection(
  { section, entry, isFresh }: SectionResult,
  { mode, now, timeZone }: AssembleOptions,
  limits: ContextLimits,
): RenderedSection {
  const { name, priority } = section
  const render = (data: CacheEntry, maxTokens: number) =>
    renderEntry(section, data, { mode, now, timeZone, maxTokens }, limits)
  const rendered = entry && render(entry, Number.POSITIVE_INFINITY)
  if (entry === undefined || rendered === undefined || rendered.hasFailed) {
    const text = section.placeholder(mode, 'unavailable')
    const changesAt = Number.POSITIVE_INFINITY
    const shrink = (): typeof NOTHING => NOTHING
    return {
      name,
      priority,
      status: 'unavailable',
      loadedAt: null,
      text,
      weight: weigh(text),
      cut: 0,
      changesAt,
      shrink,
    }
  }
  const { text, weight, cut, changesAt } = rendered
  const status = !isFresh ? ('stale' as const) : entry.data.isEmpty ? ('empty' as const) : ('fresh' as const)
  const loadedAt = new Date(entry.loadedAt).toISOString()
  const shrink: FittableSection['shrink'] = (maxTokens) => (entry.data.isEmpty ? NOTHING : render(entry, maxTokens))
  return { name, priority, status, loadedAt, text, weight, cut, changesAt, shrink }
}

const NOTHING = { text: '', weight: 0, cut: 0 }

/** The text around the sections. */
interface Frame {
  readonly head: string
  /** The current time. */
  readonly tail: string
}

function frameOf(mode: Mode, clock: string): Frame {
  if (mode === 'plain') return { head: `${PLAIN_WORDING.preamble}\n`, tail: clock }
  return { head: PROMPT_WORDING.preamble, tail: clock }
}

/** A budget that is too small even for the frame leaves the clock or nothing. */
function fitFrame({ head, tail }: Frame, maxTokens: number): Frame {
  if (estimateTokens(`${head}\n\n${tail}`) <= maxTokens) return { head, tail }
  return { head: '', tail: estimateTokens(tail) <= maxTokens ? tail : '' }
}

/** Actions are last: what changes most follows what a provider's prompt cache can reuse. */
function buildContext(sections: readonly ContextSection[], mode: Mode, frame: Frame): ResolvedContext {
  const textOf = (name: string): string | undefined => sections.find((section) => section.name === name)?.text
  const list = textOf('actions')
  const actions = mode === 'plain' ? (list ?? '') : [list, frame.tail].filter(Boolean).join('\n')
  const others = sections.filter((section) => section.name !== 'actions').map((section) => section.text)
  const text =
    mode === 'plain'
      ? composePlain([...others, actions], frame)
      : [frame.head, ...others, actions].filter(Boolean).join('\n\n')
  const context: Context = {
    details: textOf('profile') ?? '',
    actions: list === undefined ? '' : actions,
    text,
    status: statusOf(sections),
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

/** Without data there is no preamble, and without a clock no text at all. */
function composePlain(texts: readonly string[], { head, tail }: Frame): string {
  const paragraphs = texts.filter(Boolean)
  if (paragraphs.length === 0) return tail
  return [`${head}${paragraphs[0]}`, ...paragraphs.slice(1), tail].filter(Boolean).join('\n\n')
}

function statusOf(sections: readonly ContextSection[]): Context['status'] {
  const missing = sections.filter((section) => section.status === 'unavailable').length
  if (missing > 0) return missing === sections.length ? 'default' : 'partial'
  return sections.some((section) => section.status === 'stale') ? 'stale' : 'fresh'
}

/** Digest of the text of the sections, without the current time and without statuses. */
function digestOf(sections: readonly ContextSection[]): string {
  const texts = sections.map(({ name, text }) => [name, text])
  return createHash('sha256').update(JSON.stringify(texts)).digest('base64url')
}
