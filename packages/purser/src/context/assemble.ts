import { createHash } from 'node:crypto'
import { PLAIN_WORDING } from '../templates/plain-wording.ts'
import { PROMPT_WORDING } from '../templates/prompt-wording.ts'
import type { Context, ContextSection, Mode, ResolvedContext } from './api.ts'
import { type CacheEntry, renderEntry } from './cache-entry.ts'
import type { ContextLimits } from './limits.ts'
import type { ClockText } from './render/clock.ts'
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

/** Assembles a context from loaded data. Equal results within one minute give equal bytes. */
export function assemble(
  results: readonly SectionResult[],
  options: { readonly mode: Mode; readonly now: number; readonly timeZone: string; readonly clock: ClockText },
  limits: ContextLimits,
): AssembledContext {
  const { mode, clock } = options
  let { changesAt } = clock
  const sections = results.map(({ section, entry, isFresh }): ContextSection => {
    const { name } = section
    const rendered = entry && renderEntry(section, entry, options, limits)
    if (entry === undefined || rendered === undefined || rendered.hasFailed) {
      const text = section.placeholder(mode, 'unavailable')
      return Object.freeze({ name, status: 'unavailable' as const, loadedAt: null, text, cut: 0 })
    }
    changesAt = Math.min(changesAt, rendered.changesAt)
    const status = !isFresh ? ('stale' as const) : entry.data.isEmpty ? ('empty' as const) : ('fresh' as const)
    const loadedAt = new Date(entry.loadedAt).toISOString()
    return Object.freeze({ name, status, loadedAt, text: rendered.text, cut: rendered.cut })
  })
  return { context: buildContext(sections, mode, clock.text), changesAt }
}

/** Actions are last: what changes most follows what a provider's prompt cache can reuse. */
function buildContext(sections: readonly ContextSection[], mode: Mode, clock: string): ResolvedContext {
  const textOf = (name: string): string | undefined => sections.find((section) => section.name === name)?.text
  const list = textOf('actions')
  const isPlain = mode === 'plain'
  const actions = isPlain ? (list ?? '') : [list, clock].filter(Boolean).join('\n')
  const others = sections.filter((section) => section.name !== 'actions').map((section) => section.text)
  const context: Context = {
    details: textOf('profile') ?? '',
    actions: list === undefined ? '' : actions,
    text: isPlain
      ? composePlain([...others, actions], clock)
      : [PROMPT_WORDING.preamble, ...others, actions].filter(Boolean).join('\n\n'),
    status: statusOf(sections),
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
function composePlain(texts: readonly string[], clock: string): string {
  const paragraphs = texts.filter(Boolean)
  if (paragraphs.length === 0) return clock
  return [`${PLAIN_WORDING.preamble}\n${paragraphs[0]}`, ...paragraphs.slice(1), clock].filter(Boolean).join('\n\n')
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
