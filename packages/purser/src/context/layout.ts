import type { Mode } from '../options/context-section.ts'
import { PLAIN_WORDING } from '../templates/plain-wording.ts'
import { PROMPT_WORDING } from '../templates/prompt-wording.ts'
import { estimateTokens } from './render/token-weight.ts'

/** The text of one section in the whole. */
export interface Paragraph {
  readonly name: string
  /** What changes least has the lowest rank. */
  readonly rank: number
  readonly text: string
  /** Of the text, the first characters that change least. */
  readonly stableLength: number
}

export interface Layout {
  readonly text: string
  /** The text up to the first character that changes often. */
  readonly prefix: string
  /** The current time. */
  readonly clock: string
}

/** The text around the sections. */
interface Frame {
  readonly head: string
  readonly clock: string
}

const SEPARATOR = '\n\n'

export const NO_FRAME: Frame = { head: '', clock: '' }

export function frameOf(mode: Mode, clock: string): Frame {
  return { head: mode === 'plain' ? PLAIN_WORDING.preamble : PROMPT_WORDING.preamble, clock }
}

/** A budget that is too small even for the frame leaves the clock or nothing. */
export function fitFrame({ head, clock }: Frame, maxTokens: number): Frame {
  if (estimateTokens(head + SEPARATOR + clock) <= maxTokens) return { head, clock }
  return { head: '', clock: estimateTokens(clock) <= maxTokens ? clock : '' }
}

/**
 * Joins the sections in the order of how often they change, so that a provider's prompt cache can reuse the start. In
 * mode `plain` there is no preamble without data. In the other modes the current time belongs to the actions.
 */
export function layOut(paragraphs: readonly Paragraph[], { head, clock }: Frame, mode: Mode): Layout {
  const ordered = paragraphs.filter(({ text }) => text !== '').toSorted((a, b) => a.rank - b.rank)
  const preamble = mode === 'plain' && ordered.length === 0 ? '' : head
  const { text, prefix } = joinParagraphs(preamble, ordered, mode === 'plain' ? '\n' : SEPARATOR)
  const isAfterActions = mode !== 'plain' && ordered.at(-1)?.name === 'actions'
  return { text: [text, clock].filter(Boolean).join(isAfterActions ? '\n' : SEPARATOR), prefix, clock }
}

/** `headSeparator`: what separates the preamble from the first paragraph. */
function joinParagraphs(
  preamble: string,
  ordered: readonly Paragraph[],
  headSeparator: string,
): { text: string; prefix: string } {
  let text = preamble
  let prefix = preamble
  let isStable = true
  for (const [index, paragraph] of ordered.entries()) {
    if (text !== '') text += index === 0 ? headSeparator : SEPARATOR
    if (isStable) prefix = text + paragraph.text.slice(0, paragraph.stableLength)
    text += paragraph.text
    isStable &&= paragraph.stableLength === paragraph.text.length
  }
  return { text, prefix }
}
