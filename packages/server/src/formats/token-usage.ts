import { cachedTokensOf, cacheWriteTokensOf, isObject, tokenCountOf, type Usage } from 'purser/internal'

/**
 * Usage in the terms of chat completions, from the names that OpenAI's endpoints have for it: `prompt_tokens` or
 * `input_tokens`, `completion_tokens` or `output_tokens`. Undefined if there is none.
 */
export function toUsage(usage: unknown): Usage | undefined {
  if (!isObject(usage)) return undefined
  const input = tokenCountOf(usage.prompt_tokens) ?? tokenCountOf(usage.input_tokens)
  const output = tokenCountOf(usage.completion_tokens) ?? tokenCountOf(usage.output_tokens)
  if (input === undefined && output === undefined) return undefined
  const details = isObject(usage.input_tokens_details) ? usage.input_tokens_details : usage.prompt_tokens_details
  const cached = cachedTokensOf({ prompt_tokens_details: details })
  const written = cacheWriteTokensOf({ prompt_tokens_details: details })
  const known = {
    ...(cached === undefined ? {} : { cached_tokens: cached }),
    ...(written === undefined ? {} : { cache_write_tokens: written }),
  }
  return {
    prompt_tokens: input ?? 0,
    completion_tokens: output ?? 0,
    total_tokens: (input ?? 0) + (output ?? 0),
    ...(Object.keys(known).length === 0 ? {} : { prompt_tokens_details: known }),
  }
}
