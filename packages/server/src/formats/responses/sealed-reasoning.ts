import type { ReasoningDetail } from 'purser/internal'

const SEPARATOR = ':'

/** What a provider expects back of its reasoning, as `encrypted_content`, which clients return unread. */
export function sealReasoning(detail: ReasoningDetail): string {
  return `${detail.type}${SEPARATOR}${detail.type === 'reasoning.text' ? detail.signature : detail.data}`
}

/** The same again. Undefined for the content of a provider that has responses itself, which no other can read. */
export function unsealReasoning(content: unknown, text: string): ReasoningDetail | undefined {
  if (typeof content !== 'string') return undefined
  const end = content.indexOf(SEPARATOR)
  const value = content.slice(end + SEPARATOR.length)
  const type = content.slice(0, Math.max(0, end))
  if (type === 'reasoning.text') return { type, text, signature: value }
  return type === 'reasoning.encrypted' ? { type, data: value } : undefined
}
