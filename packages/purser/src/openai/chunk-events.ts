import { formatChunk } from './sse.ts'

export interface ChunkEventsDeps {
  /** Whole events, each with one line of data. */
  readonly bytes: Buffer
  /** The index at which each begins. */
  readonly starts: readonly number[]
  /** What all of these chunks begin with. */
  readonly head: string
  /** Estimated, of their content. */
  readonly tokens: number
}

/** Before and behind the data of an event. */
export const DATA = 'data: '
export const END_OF_EVENT = '\n\n'

/**
 * Chunks as the bytes of the event stream in which they arrived. They have content, and nothing else that a reader of an
 * answer looks at, so that they pass as they are.
 */
export class ChunkEvents {
  readonly bytes: Buffer
  readonly tokens: number
  readonly #starts: readonly number[]
  readonly #head: string

  constructor({ bytes, starts, head, tokens }: ChunkEventsDeps) {
    this.bytes = bytes
    this.tokens = tokens
    this.#starts = starts
    this.#head = head
  }

  /** The chunks as JSON text. */
  get texts(): readonly string[] {
    const events = this.bytes.toString().split(END_OF_EVENT)
    return events.slice(0, -1).map((event) => event.slice(DATA.length))
  }

  /** The same chunks with another head, as `rewrite` makes it; undefined if it makes none. */
  rewriteHead(rewrite: (head: string) => string | undefined): ChunkEvents | undefined {
    const head = rewrite(this.#head)
    if (head === undefined || head === this.#head) return head === undefined ? undefined : this
    const { bytes, tokens } = this
    const pieces: Buffer[] = []
    const starts: number[] = []
    const event = Buffer.from(DATA + head)
    const skipped = DATA.length + Buffer.byteLength(this.#head)
    const grown = event.length - skipped
    for (const [index, start] of this.#starts.entries()) {
      starts.push(start + index * grown)
      pieces.push(event, bytes.subarray(start + skipped, this.#starts[index + 1]))
    }
    return new ChunkEvents({ bytes: Buffer.concat(pieces), starts, head, tokens })
  }
}

/** Chunks that arrived together, and comments between them: as JSON text, or several as they arrived. */
export type ChunkBatch = readonly (string | ChunkEvents)[]

/** The JSON texts of a batch, and the comments between them. */
export function textsOf(batch: ChunkBatch): readonly string[] {
  return batch.flatMap((piece) => (typeof piece === 'string' ? [piece] : piece.texts))
}

/** A batch as part of an event stream. */
export function formatBatch(batch: ChunkBatch): string | Buffer {
  const [first] = batch
  if (batch.length === 1 && first instanceof ChunkEvents) return first.bytes
  return batch.map((piece) => (typeof piece === 'string' ? formatChunk(piece) : piece.bytes.toString())).join('')
}
