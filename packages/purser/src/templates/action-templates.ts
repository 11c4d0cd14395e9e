import { CUT_LINE_MAX_BYTES } from './prompt-wording.ts'

/** Rows with one label, listed apart from the other actions while they are recent. */
export interface ActionWindow {
  readonly label: string
  /** Only rows with this sublabel. Default: all rows with the label. */
  readonly sublabel?: string
  readonly maxAgeMs: number
  /** Text around the items; not used without items. */
  readonly wrap: (items: string) => string
}

export interface ActionTemplate {
  /** `all`: one item a row. `firstAndLast`: the first and the last date of each action; rows without a date are omitted. */
  readonly repeats: 'all' | 'firstAndLast'
  readonly windows: readonly ActionWindow[]
  /** Text around the whole list. */
  readonly wrap: (list: string) => string
  /** Upper bound of all text around the items, UTF-8 bytes. */
  readonly wrapMaxBytes: number
}

const VISUAL_WINDOW: ActionWindow = {
  label: 'Video Reasoning',
  sublabel: 'Visual Context',
  maxAgeMs: 5 * 60_000,
  wrap: (items) =>
    `<Last_5_Minutes_Visual_Context_Start> ${items} <Last_5_Minutes_Visual_Context_End> (a person seen here is most likely the user, and not a picture they take of themselves)`,
}

const SCREEN_WINDOW: ActionWindow = {
  label: 'Screen Reasoning',
  maxAgeMs: 2 * 60_000,
  wrap: (items) =>
    `<Last_2_Minutes_Screen_Context_Start> ${items} <Last_2_Minutes_Screen_Context_End> (this is what the user has on their computer screen)`,
}

/** The actions section in each prompt mode. Rows with the label of any window are not part of the ordinary list of any mode. */
export const ACTION_TEMPLATES: Readonly<Record<'create' | 'reuse', ActionTemplate>> = {
  create: { repeats: 'all', windows: [], wrap: (list) => list, wrapMaxBytes: CUT_LINE_MAX_BYTES },
  reuse: {
    repeats: 'firstAndLast',
    windows: [VISUAL_WINDOW, SCREEN_WINDOW],
    wrap: (list) => `<PREVIOUS_USER_ACTION_START> ${list} <PREVIOUS_USER_ACTION_END>`,
    wrapMaxBytes: 512,
  },
}

/** Text of the list without items. */
export const ACTION_PLACEHOLDERS = {
  empty: 'no action of the user is on record yet',
  unavailable: 'what the user did before cannot be looked up at the moment',
} as const

/** First item of a list from which older items were cut. */
export const cutActions = (count: number): string => `(${count} earlier actions are not shown)`

/** Names of an action's fields in feeds; the first one with a value is used. */
export const ACTION_FIELD_NAMES: Readonly<Record<'action' | 'at' | 'label' | 'sublabel', readonly string[]>> = {
  action: ['action'],
  at: ['at', 'created_date'],
  label: ['label', 'zeroshot_label'],
  sublabel: ['sublabel', 'gpt3_label'],
}

/** Action names omitted from the prompt: processing steps that say nothing about the user. Exact names. */
export const IGNORED_ACTIONS: readonly string[] = [
  'Topic Cofirmation',
  'Topic Confirmation',
  'Topic confirmation',
  'Topic not found',
  'Topic Listing',
  'Langchain',
  'Assessment Ended',
  'Casual Conversation',
  'Probe',
  'Question Answering',
  'Fallback',
]
