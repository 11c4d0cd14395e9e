/*
 * Checks of a chunk that is still text. Most chunks are only passed on and are not parsed. A quote inside a JSON string is
 * always escaped, so `"name"` followed by a colon can only be a member, never content.
 */
const FINISH_REASON = /"finish_reason"\s*:\s*"/
const USAGE = /"usage"\s*:\s*\{/
const ERROR = /"error"\s*:\s*[{"]/

/** Whether the chunk has a finish reason. */
export function hasFinishReason(text: string): boolean {
  return FINISH_REASON.test(text)
}

/** Whether the chunk has usage, at any level: parse it to read the usage. */
export function hasUsage(text: string): boolean {
  return USAGE.test(text)
}

/** Whether the text may be an error instead of a chunk: parse it to be sure. */
export function hasError(text: string): boolean {
  return ERROR.test(text)
}
