import { isObject } from '../core/validate.ts'

/**
 * Reasoning that its provider expects back as it was, because it has signed or encrypted it: the field
 * `reasoning_details` of OpenRouter, for which OpenAI's format has no other. Clients return it with the message. The text
 * is in `reasoning_content` as well.
 */
export type ReasoningDetail =
  | { readonly type: 'reasoning.text'; readonly text: string; readonly signature: string }
  | { readonly type: 'reasoning.encrypted'; readonly data: string }

/** The details of a message or a delta; what is none is left out. */
export function reasoningDetailsOf({
  reasoning_details: details,
}: {
  readonly reasoning_details?: unknown
}): ReasoningDetail[] {
  return Array.isArray(details) ? details.filter(isDetail) : []
}

function isDetail(value: unknown): value is ReasoningDetail {
  if (!isObject(value)) return false
  const { type, text, signature, data } = value
  if (type === 'reasoning.encrypted') return typeof data === 'string'
  return type === 'reasoning.text' && typeof text === 'string' && typeof signature === 'string' && signature !== ''
}

/** What a model thinks: a text, and how its provider ends it. */
export interface Thought {
  readonly text: string
  readonly detail: ReasoningDetail | undefined
}

/** The thoughts in a delta. A whole message has the texts of its details in `reasoning_content` as well. */
export function thoughtsOf(delta: Readonly<Record<string, unknown>>): Thought[] {
  const { reasoning_content, reasoning } = delta
  const said = reasoning_content ?? reasoning
  const text = typeof said === 'string' ? said : ''
  const details = reasoningDetailsOf(delta)
  if (details.length === 0) return text === '' ? [] : [{ text, detail: undefined }]
  return details.map((detail) => ({ text: text !== '' && detail.type === 'reasoning.text' ? detail.text : '', detail }))
}
