/**
 * Questions to a chunk that is still text. Most chunks are only passed on, so they are not parsed; a quote inside a
 * JSON string is always escaped, so `"name"` followed by a colon can only be a member, never content.
 */
const FINISH = /"finish_reason"\s*:\s*"/
const USAGE = /"usage"\s*:\s*\{/
const ERROR = /"error"\s*:\s*[{"]/

/** Whether the text tells why an answer ended. */
export function hasFinishReason(text: string): boolean {
  return FINISH.test(text)
}

/** Whether the text tells usage, and is worth parsing for it. */
export function hasUsage(text: string): boolean {
  return USAGE.test(text)
}

/** Whether the text may be an error instead of a chunk, and is worth parsing to know. */
export function hasError(text: string): boolean {
  return ERROR.test(text)
}
