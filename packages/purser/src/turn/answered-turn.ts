import type { ServerResponse } from 'node:http'
import type { Context } from '../context/api.ts'
import { PurserError } from '../errors.ts'
import type { Admitted } from '../ledger/decide/admission.ts'
import type { ChatChunk, ChatCompletion, Usage } from '../openai/chat.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import { chunksOf, completionOf, usageOf } from '../openai/completion.ts'
import { createModelRewriter } from '../openai/rewrite-model.ts'
import { hasUsage } from '../openai/sniff-chunk.ts'
import type { Settings } from '../runtime/api.ts'
import { type AnswerHeaders, pipeAnswer, responseOf } from './http-response.ts'
import type { TurnResources } from './turn-resources.ts'

/** Where an answer came from: kept before, shared with an equal request under way, the model, or no cache asked. */
export type CacheOutcome = 'hit' | 'joined' | 'miss' | 'off'

/** An answered turn. The answer is read once, in one of its forms; whoever stops reading stops the model. */
export interface AnsweredTurn extends AsyncDisposable {
  readonly allowed: true
  readonly id: string
  readonly admission: Admitted
  readonly settings: Settings
  readonly context: Context
  readonly cache: CacheOutcome
  /** Time spent in Purser before the first byte of the answer, ms: the wait for the model is not in it. */
  readonly overheadMs: number
  /** The answer as OpenAI chunks. A failure of the upstream is thrown here. */
  readonly chunks: AsyncIterable<ChatChunk>
  /** The answer as one OpenAI completion. */
  completion(): Promise<ChatCompletion>
  /** The answer as a web `Response`: server-sent events when the request asked to stream, else JSON. */
  toResponse(): Response
  /** The same into a Node response. Resolves when everything is written or the client has left. */
  pipe(response: ServerResponse): Promise<void>
  /** Stops the upstream and lets everything go. Harmless when the turn is over. */
  cancel(): Promise<void>
}

export interface AnsweredTurnDeps {
  readonly id: string
  readonly admission: Admitted
  readonly settings: Settings
  readonly context: Context
  readonly cache: CacheOutcome
  readonly overheadMs: number
  readonly answer: ChatAnswer
  /** The model id the client asked for, which the answer echoes; undefined keeps the upstream's. */
  readonly echo: string | undefined
  readonly streams: boolean
  readonly wantsUsage: boolean
  readonly headers: AnswerHeaders
  readonly passage: TurnResources
  /** Cancels the unread timer. */
  begun(): void
  /** Told once, when the turn is over. */
  over(outcome: 'completed' | 'failed' | 'cancelled'): void
}

const READ = 'The answer of this turn was already read.'
const CANCELLED = 'This turn was cancelled, or nobody began to read it in time.'

export function createAnsweredTurn(reading: AnsweredTurnDeps): AnsweredTurn {
  const restamp = reading.echo === undefined ? (text: string) => text : createModelRewriter(reading.echo)
  /** Why there is nothing more to read. */
  let spent: string | undefined
  let settled: Promise<void> | undefined

  function begin(): void {
    if (spent !== undefined) {
      throw new PurserError('turn_consumed', spent, {
        hint: 'An answer can be read once: as chunks, completion(), toResponse() or pipe().',
      })
    }
    spent = READ
    reading.begun()
  }

  /** Ends the turn, the first time; resolves when the ticket is settled. Nobody's last byte waits for that. */
  function end(outcome: 'completed' | 'failed' | 'cancelled', usage?: Usage): Promise<void> {
    if (settled === undefined) {
      reading.over(outcome)
      // Tokens are paid for by whoever asked the model, and once.
      settled = reading.passage.settle(reading.cache === 'hit' || reading.cache === 'joined' ? undefined : usage)
    }
    return settled
  }

  /** Whole texts of chunks as this client may see them; the turn ends with the last one, however that comes. */
  async function* texts(withUsage: boolean): AsyncGenerator<string> {
    let outcome: 'completed' | 'failed' | 'cancelled' = 'cancelled'
    let usage: Usage | undefined
    try {
      for await (const text of sourceOf(reading.answer)) {
        if (hasUsage(text)) {
          const chunk = JSON.parse(text) as ChatChunk
          usage = usageOf(chunk) ?? usage
          if (chunk.choices.length === 0 && !withUsage) continue
        }
        yield restamp(text)
      }
      outcome = 'completed'
    } catch (error) {
      outcome = 'failed'
      throw error
    } finally {
      void end(outcome, usage)
    }
  }

  /** The completion's text, from the upstream as it is or put together from chunks. */
  async function wholeText(): Promise<string> {
    const { answer } = reading
    if (answer.kind === 'completion') {
      const usage = hasUsage(answer.text) ? usageOf(JSON.parse(answer.text) as ChatCompletion) : undefined
      void end('completed', usage)
      return restamp(answer.text)
    }
    const chunks: ChatChunk[] = []
    // A completion always tells its usage, whatever a stream would have shown.
    for await (const text of texts(true)) chunks.push(JSON.parse(text) as ChatChunk)
    return JSON.stringify(completionOf(chunks))
  }

  const output = {
    streams: reading.streams,
    headers: reading.headers,
    texts: () => texts(reading.wantsUsage),
    wholeText,
    /** Ends the turn if nothing else has. */
    end: () => end('cancelled'),
  }

  return {
    allowed: true,
    id: reading.id,
    admission: reading.admission,
    settings: reading.settings,
    context: reading.context,
    cache: reading.cache,
    overheadMs: reading.overheadMs,
    chunks: {
      async *[Symbol.asyncIterator]() {
        begin()
        try {
          for await (const text of texts(reading.wantsUsage)) yield JSON.parse(text) as ChatChunk
        } finally {
          await settled
        }
      },
    },
    async completion() {
      begin()
      const text = await wholeText()
      await settled
      return JSON.parse(text) as ChatCompletion
    },
    toResponse() {
      begin()
      return responseOf(output)
    },
    async pipe(response) {
      begin()
      await pipeAnswer(output, response)
    },
    async cancel() {
      reading.begun()
      spent ??= CANCELLED
      await end('cancelled')
    },
    async [Symbol.asyncDispose]() {
      await this.cancel()
    },
  }
}

/** A whole completion is read as chunks too, for callers who iterate what they did not ask to be streamed. */
async function* sourceOf(answer: ChatAnswer): AsyncIterable<string> {
  if (answer.kind === 'stream') return yield* answer.chunks
  for (const chunk of chunksOf(JSON.parse(answer.text) as ChatCompletion)) yield JSON.stringify(chunk)
}
