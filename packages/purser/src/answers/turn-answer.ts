import type { ChatAnswer } from '../openai/chat-model.ts'

/** A turn's answer as it is kept: exactly the texts the upstream wrote. */
export interface KeptAnswer {
  readonly kind: 'completion' | 'stream'
  /** One text for a completion, one per chunk for a stream. */
  readonly texts: readonly string[]
  /** What making it has cost: what every further reader saves. */
  readonly tokens: number
}

/** A kept answer as if it came from the model. A replay may be left, or aborted, at any chunk. */
export function replay({ kind, texts }: KeptAnswer, signal: AbortSignal | undefined): ChatAnswer {
  if (kind === 'completion') return { kind, text: texts[0] ?? '' }
  return { kind, chunks: chunksOf(texts, signal) }
}

async function* chunksOf(texts: readonly string[], signal: AbortSignal | undefined): AsyncGenerator<string> {
  for (const text of texts) {
    signal?.throwIfAborted()
    yield text
  }
}
