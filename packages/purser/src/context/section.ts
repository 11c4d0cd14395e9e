import type { Subject } from '../core/subject.ts'
import { WORDS } from '../templates/prompt-wording.ts'
import { type ActionRow, readRows } from './action-rows.ts'
import type { Mode, Render, RenderContext, Rendered, SourceCall } from './api.ts'
import type { SectionData } from './cache-entry.ts'
import { copyPlain, type Plain } from './copy-data.ts'
import type { ContextLimits } from './limits.ts'
import { type ActionsText, type Ignores, renderActions } from './render/actions.ts'
import { renderAny } from './render/default.ts'
import { renderProfile } from './render/profile.ts'

/** One kind of thing the model is told, with where it comes from and how it reads. */
export interface Section {
  readonly name: string
  readonly supply: SectionSource
  readonly ttlMs: number
  readonly maxStaleMs: number
  /** Checks the shape of what the source gave and copies it. Throws when it cannot be this section's data. */
  read(given: unknown): SectionData
  /** Data that was kept as JSON. */
  revive(value: unknown): SectionData
  render(data: SectionData, scene: Pick<RenderContext, 'mode' | 'now' | 'timeZone'>): SectionText
  /** What to say when there is no data: because there is none, or because nobody knows. */
  absent(mode: Mode, why: 'empty' | 'unavailable'): string
}

/** Where a section's data comes from. */
export interface SectionSource {
  /** Reads Purser's own store: there is nothing to keep beside it. */
  readonly builtIn: boolean
  call(user: Subject, order: SourceCall): unknown
  close(): Promise<void>
}

export interface SectionText {
  readonly text: string
  readonly cut: number
  /** Epoch ms. */
  readonly renderedAt: number
  readonly changesAt: number
  /** A renderer of the application threw: there is no text. */
  readonly failed: boolean
}

export interface SectionConfig {
  readonly name: string
  readonly supply: SectionSource
  readonly ttlMs: number
  readonly maxStaleMs: number
  readonly maxBytes: number
  readonly maxItems: number
  readonly render: Render | undefined
  readonly ignores: Ignores
  readonly limits: ContextLimits
}

export function createSection(plan: SectionConfig): Section {
  const { name, supply, ttlMs, maxStaleMs, maxBytes, maxItems, limits } = plan
  const draw = plan.render === undefined ? builtInRenderer(plan) : (plan.render as BoundRender)
  return {
    name,
    supply,
    ttlMs,
    maxStaleMs,
    read: (given) => readAs(name, given, limits),
    revive(value) {
      const { bytes, shortened, value: plain } = copyPlain(value, limits)
      return { value: plain, empty: isEmpty(plain), bytes, shortened }
    },
    render(data, { mode, now, timeZone }) {
      if (data.empty) return { ...STILL, text: absentText(name, mode, 'empty'), renderedAt: now }
      try {
        const {
          text,
          cut = 0,
          changesAt = STILL.changesAt,
        } = rendered(draw(data.value, { mode, now, timeZone, maxBytes, maxItems }))
        const fitted = fitText(text, maxBytes)
        const lost = fitted === text ? 0 : 1
        return { text: fitted, cut: cut + data.shortened + lost, renderedAt: now, changesAt, failed: false }
      } catch {
        return { ...STILL, text: absentText(name, mode, 'unavailable'), renderedAt: now, failed: true }
      }
    },
    absent: (mode, why) => absentText(name, mode, why),
  }
}

const STILL = { cut: 0, changesAt: Number.POSITIVE_INFINITY, failed: false }

type BoundRender = (data: Plain, scene: RenderContext) => string | Rendered

function builtInRenderer({ name, ignores }: SectionConfig): BoundRender {
  if (name === 'actions') {
    return (data, scene): string | ActionsText =>
      Array.isArray(data) ? renderActions(data as unknown as ActionRow[], scene, ignores) : String(data)
  }
  if (name === 'profile') {
    return (data, scene) => (typeof data === 'string' ? data : renderProfile(data as { [field: string]: Plain }, scene))
  }
  return (data, scene) => renderAny(name, data, scene)
}

function rendered(given: string | Rendered): Rendered {
  if (typeof given === 'string') return { text: given }
  if (typeof given?.text === 'string') return given
  throw new TypeError('A renderer must return text or { text }.')
}

/** The whole text within its bytes; cut at a character, with a mark. */
function fitText(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text
  const bytes = Buffer.from(text).subarray(0, maxBytes - 3)
  return `${bytes.toString().replace(/\uFFFD+$/, '')}…`
}

function readAs(name: string, given: unknown, limits: ContextLimits): SectionData {
  const { value, bytes, shortened } = copyPlain(given, limits)
  if (value === null || typeof value === 'string') return { value, empty: isEmpty(value), bytes, shortened }
  if (typeof value !== 'object') throw new TypeError(`The source of '${name}' gave a ${typeof given}.`)
  if (name === 'profile' && Array.isArray(value))
    throw new TypeError('The source of the profile gave a list, not an object.')
  if (name !== 'actions') return { value, empty: isEmpty(value), bytes, shortened }
  if (!Array.isArray(value)) throw new TypeError('The source of the actions gave an object, not a list.')
  const rows = Object.freeze(readRows(value).map((row) => Object.freeze(row))) as unknown as Plain
  return { value: rows, empty: isEmpty(rows), bytes, shortened }
}

function isEmpty(value: Plain): boolean {
  if (value === null || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

function absentText(name: string, mode: Mode, why: 'empty' | 'unavailable'): string {
  if (name === 'profile') return why === 'empty' ? WORDS.noDetails : WORDS.detailsUnavailable
  if (name !== 'actions') return why === 'empty' ? WORDS.nothing(name) : WORDS.unavailable(name)
  const line = why === 'empty' ? WORDS.noActions : WORDS.actionsUnavailable
  return mode === 'create' ? line : WORDS.framed(line)
}
