import { createHash } from 'node:crypto'
import { WORDS } from '../templates/prompt-wording.ts'
import type { Context, ContextSection, Mode, ResolvedContext } from './api.ts'
import { type CacheEntry, textOf } from './cache-entry.ts'
import type { ContextLimits } from './limits.ts'
import type { ClockText } from './render/clock.ts'
import type { SectionRuntime } from './section-runtime.ts'

/** What was found for one section. */
export interface SectionResult {
  readonly lane: SectionRuntime
  readonly held: CacheEntry | undefined
  /** It is as new as this caller can get it, whatever its age. */
  readonly fresh: boolean
}

export interface Assembled {
  readonly context: ResolvedContext
  /** When the same findings would read differently, epoch ms. */
  readonly changesAt: number
}

/** Puts a context together. Nothing is loaded here, and equal findings in the same minute give equal bytes. */
export function assemble(
  findings: readonly SectionResult[],
  scene: { readonly mode: Mode; readonly now: number; readonly timeZone: string; readonly clock: ClockText },
  limits: ContextLimits,
): Assembled {
  let changesAt = scene.mode === 'reuse' ? scene.clock.changesAt : Number.POSITIVE_INFINITY
  const sections = findings.map((finding): ContextSection => {
    const { lane, held, fresh } = finding
    const { name } = lane.section
    const text = held && textOf(lane.section, held, scene, limits)
    if (held === undefined || text === undefined || text.failed) {
      const said = lane.section.absent(scene.mode, 'unavailable')
      return Object.freeze({ name, status: 'unavailable' as const, loadedAt: null, text: said, cut: 0 })
    }
    changesAt = Math.min(changesAt, text.changesAt)
    const status = !fresh ? ('stale' as const) : held.data.empty ? ('empty' as const) : ('fresh' as const)
    return Object.freeze({
      name,
      status,
      loadedAt: new Date(held.loadedAt).toISOString(),
      text: text.text,
      cut: text.cut,
    })
  })
  return { context: freeze(sections, scene.mode === 'reuse' ? scene.clock.text : ''), changesAt }
}

/** Actions come last, so that what changes most stands behind what a provider's prompt cache can reuse. */
function freeze(sections: readonly ContextSection[], clock: string): ResolvedContext {
  const find = (name: string): string | undefined => sections.find((section) => section.name === name)?.text
  const listed = find('actions')
  const actions = [listed, clock].filter(Boolean).join('\n')
  const others = sections.filter((section) => section.name !== 'actions').map((section) => section.text)
  const context: Context = {
    details: find('profile') ?? '',
    actions: listed === undefined ? '' : actions,
    text: [WORDS.preamble, ...others, actions].filter(Boolean).join('\n\n'),
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

function statusOf(sections: readonly ContextSection[]): Context['status'] {
  const missing = sections.filter((section) => section.status === 'unavailable').length
  if (missing > 0) return missing === sections.length ? 'default' : 'partial'
  return sections.some((section) => section.status === 'stale') ? 'stale' : 'fresh'
}

/** Of what the model is told, without the current time and without how it was come by. */
function digestOf(sections: readonly ContextSection[]): string {
  const told = sections.map(({ name, text }) => [name, text])
  return createHash('sha256').update(JSON.stringify(told)).digest('base64url')
}
