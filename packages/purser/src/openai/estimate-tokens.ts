import { isObject } from '../core/validate.ts'
import type { ChatRequest } from './chat.ts'
import { findStringEnd } from './rewrite-model.ts'

/** UTF-8 bytes of text for one token, where no provider has reported the count. */
const BYTES_PER_TOKEN = 4

/** A longer event is not searched for its text. */
const LARGE_CHARACTERS = 65_536

/** Members of a chunk that hold what the model wrote. */
const TEXT_MEMBERS = ['"content":', '"reasoning_content":', '"reasoning":', '"refusal":', '"arguments":'] as const

/** An estimate of the tokens of a text. */
export function tokensOfBytes(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN)
}

/** A provider sends a delta for a token, or longer texts. */
const ONE_TOKEN_MAX_BYTES = 16

/** The tokens of one delta with this much text. */
export function tokensOfDelta(bytes: number): number {
  return bytes > ONE_TOKEN_MAX_BYTES ? tokensOfBytes(bytes) : Math.min(bytes, 1)
}

/** About how many bytes of text a chunk delivers, without parsing it. */
export function textBytesOfChunk(chunk: string): number {
  // Almost every chunk has text in this one member.
  const first = textBytesOfMember(chunk, TEXT_MEMBERS[0])
  return first > 0 ? first : textBytesOfMembers(chunk, TEXT_MEMBERS)
}

/** About how many bytes of text JSON has in members of these names, which are in quotes and followed by a colon. */
export function textBytesOfMembers(json: string, members: readonly string[]): number {
  // Nearly all of a large event is text.
  if (json.length > LARGE_CHARACTERS) return json.length
  let bytes = 0
  for (const member of members) bytes += textBytesOfMember(json, member)
  return bytes
}

/** An estimate of the tokens of a request; images and other files are not counted. */
export function estimateRequestTokens({ messages }: ChatRequest): number {
  let bytes = 0
  for (const { content } of messages) {
    if (typeof content === 'string') bytes += Buffer.byteLength(content)
    else if (Array.isArray(content)) for (const part of content) bytes += textBytesOfPart(part)
  }
  return tokensOfBytes(bytes)
}

function textBytesOfPart(part: unknown): number {
  return isObject(part) && typeof part.text === 'string' ? Buffer.byteLength(part.text) : 0
}

/** A quote inside a JSON string is always escaped, so a member name with its quotes is never text. */
function textBytesOfMember(chunk: string, member: string): number {
  let bytes = 0
  for (let at = chunk.indexOf(member); at !== -1; at = chunk.indexOf(member, at)) {
    at += member.length
    while (chunk.charCodeAt(at) <= 0x20) at++
    if (chunk.charCodeAt(at) !== 0x22) continue
    const end = findStringEnd(chunk, at)
    bytes += Buffer.byteLength(chunk.slice(at + 1, end - 1))
    at = end
  }
  return bytes
}
