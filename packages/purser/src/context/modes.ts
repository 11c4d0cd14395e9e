import type { Mode } from '../options/context-section.ts'

export const MODES: readonly Mode[] = ['plain', 'reuse', 'create']

/** The modes with templates, in the wording of the first application. */
export type TemplateMode = Exclude<Mode, 'plain'>

/** What a template is rendered for. */
export interface TemplateContext {
  readonly mode: TemplateMode
  /** Epoch ms. */
  readonly now: number
  readonly timeZone: string
  readonly maxBytes: number
  readonly maxTokens: number
  readonly maxItems: number
}
