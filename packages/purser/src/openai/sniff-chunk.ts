/** A quote inside a JSON string is always escaped, so `"usage"` followed by a colon can only be a member, never content. */
const USAGE = /"usage"\s*:\s*\{/

/** Whether a chunk or completion that is still text has usage, at any level: parse it to read the usage. */
export function hasUsage(text: string): boolean {
  return USAGE.test(text)
}
