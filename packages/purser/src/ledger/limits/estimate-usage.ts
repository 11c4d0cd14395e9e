import { isObject } from '../../core/validate.ts'
import { tokensOfBytes } from '../../openai/estimate-tokens.ts'
import type { Estimate } from './admission.ts'

/** How much is held for the output of a turn. */
export interface HoldOptions {
  /** Tokens of a request without a maximum. */
  readonly outputTokens: number
  /** Tokens of a request with a higher maximum. */
  readonly maxOutputTokens: number
}

/** What is known of a turn beside its request. */
export interface KnownUsage {
  /** Added to those of the request. */
  readonly contextTokens: number
  /** Of a request without `max_tokens`; anything but a positive integer is none. */
  readonly maxOutputTokens?: unknown
}

/** A chat request, in any of the wire formats, as far as an estimate reads it. */
export interface EstimatedRequest {
  readonly messages?: unknown
  readonly tools?: unknown
  readonly max_tokens?: unknown
  readonly max_completion_tokens?: unknown
  readonly max_output_tokens?: unknown
}

const MEDIA_TOKENS = 1_000
const MEDIA_TYPES = new Set([
  'image',
  'image_url',
  'input_image',
  'file',
  'input_file',
  'input_audio',
  'audio',
  'document',
])
/** Deeper values are not read; requests this deep are refused elsewhere. */
const MAX_DEPTH = 64

/**
 * Estimates what a turn will use: the bytes of messages and tools divided by 4, 1,000 tokens for an image or a file, the
 * tokens of the rendered context, and for the output the request's maximum or the default.
 */
export function estimateUsage(
  request: EstimatedRequest,
  { contextTokens, maxOutputTokens }: KnownUsage,
  options: HoldOptions,
): Pick<Estimate, 'inputTokens' | 'outputTokens'> {
  const size = { bytes: 0, media: 0 }
  measure(request.messages, size, 0)
  measure(request.tools, size, 0)
  const { max_completion_tokens, max_tokens = maxOutputTokens, max_output_tokens } = request
  const maximum = [max_completion_tokens, max_tokens, max_output_tokens].find(isTokens)
  return {
    inputTokens: tokensOfBytes(size.bytes) + size.media * MEDIA_TOKENS + contextTokens,
    outputTokens: maximum === undefined ? options.outputTokens : Math.min(maximum, options.maxOutputTokens),
  }
}

function isTokens(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Adds the bytes of all texts and field names in a value. Images and files are counted, not read. */
function measure(value: unknown, size: { bytes: number; media: number }, depth: number): void {
  if (typeof value === 'string') size.bytes += Buffer.byteLength(value)
  else if (depth > MAX_DEPTH) return
  else if (Array.isArray(value)) for (const member of value) measure(member, size, depth + 1)
  else if (isObject(value)) {
    if (typeof value.type === 'string' && MEDIA_TYPES.has(value.type)) {
      size.media++
      return
    }
    for (const name in value) {
      size.bytes += name.length
      measure(value[name], size, depth + 1)
    }
  }
}
