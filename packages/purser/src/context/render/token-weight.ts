/*
 * An estimate of tokens without a tokenizer: a weight for each character, in quarters of a token. It is the rule of four
 * bytes a token, except that digits and punctuation weigh more, because tokenizers split them: a list of dated actions has
 * twice the tokens that its bytes suggest. So the estimate of a text is the sum of those of its parts, which lets a text
 * be cut to a budget exactly. `bench/context-tokens.ts` compares it with a tokenizer.
 */

export const WEIGHT_PER_TOKEN = 4

const DIGIT_WEIGHT = 2
const PUNCTUATION_WEIGHT = 3
/** Of half a surrogate pair, such as an emoji. */
const SURROGATE_WEIGHT = 3

/** Tokens of a text, estimated. */
export function estimateTokens(text: string): number {
  return toTokens(weigh(text))
}

export function toTokens(weight: number): number {
  return Math.ceil(weight / WEIGHT_PER_TOKEN)
}

/** Estimated size of a text, in quarters of a token. */
export function weigh(text: string): number {
  let weight = 0
  for (let index = 0; index < text.length; index++) weight += weightOf(text.charCodeAt(index))
  return weight
}

/** The longest start of a text with at most this weight; never half a surrogate pair. */
export function takeWeight(text: string, maxWeight: number): string {
  let weight = 0
  for (let index = 0; index < text.length; index++) {
    weight += weightOf(text.charCodeAt(index))
    if (weight > maxWeight) return text.slice(0, isLowSurrogate(text.charCodeAt(index)) ? index - 1 : index)
  }
  return text
}

function weightOf(code: number): number {
  if (code >= 0x80) return code < 0x800 ? 2 : isSurrogate(code) ? SURROGATE_WEIGHT : 3
  if (code === 0x20 || (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)) return 1
  return code >= 0x30 && code <= 0x39 ? DIGIT_WEIGHT : PUNCTUATION_WEIGHT
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff
}
