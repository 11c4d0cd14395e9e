import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream'
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib'

type Bytes = AsyncIterable<Uint8Array>

/** A response with more codings is refused: each one multiplies the size of what a few bytes decode to. */
const MAX_CODINGS = 4
/** Decoded bytes at a time. */
const CHUNK_BYTES = 65_536

/* A body whose end is missing is decoded as far as it goes: whether it is complete, its content says. */
const ZLIB = { finishFlush: constants.Z_SYNC_FLUSH, chunkSize: CHUNK_BYTES }
const BROTLI = { finishFlush: constants.BROTLI_OPERATION_FLUSH, chunkSize: CHUNK_BYTES }
const ZSTD = { finishFlush: constants.ZSTD_e_flush, chunkSize: CHUNK_BYTES }

/** The content codings of HTTP (RFC 9110, "Content Codings"), by their names. */
const DECODERS: Readonly<Record<string, (encoded: Bytes) => Bytes>> = {
  gzip: (encoded) => decodeWith(encoded, createGunzip(ZLIB)),
  'x-gzip': (encoded) => decodeWith(encoded, createGunzip(ZLIB)),
  deflate: inflate,
  br: (encoded) => decodeWith(encoded, createBrotliDecompress(BROTLI)),
  zstd: (encoded) => decodeWith(encoded, createZstdDecompress(ZSTD)),
}

/** The codings of a `content-encoding` header in the order in which they were applied; empty for a plain body. */
export function parseContentEncoding(header: string | readonly string[] | undefined): string[] {
  if (header === undefined) return []
  const names = String(header).toLowerCase().split(',')
  return names.map((name) => name.trim()).filter((name) => name !== '' && name !== 'identity')
}

/** Whether `decodeContent` knows these codings. */
export function canDecode(codings: readonly string[]): boolean {
  return codings.length <= MAX_CODINGS && codings.every((coding) => Object.hasOwn(DECODERS, coding))
}

/**
 * Decodes a body no faster than it is read. The caller limits the decoded bytes; leaving the iteration ends the source.
 * Iterating rejects with the error of the source, or of zlib when the body is not what its header says.
 */
export function decodeContent(encoded: Bytes, codings: readonly string[]): Bytes {
  return codings.reduceRight((bytes, coding) => DECODERS[coding]?.(bytes) ?? bytes, encoded)
}

function decodeWith(encoded: Bytes, decoder: Transform): Bytes {
  // The error reaches the reader through the iterator of the decoder.
  return pipeline(encoded, decoder, () => undefined) as Transform
}

/** `deflate` means the zlib format; servers that send raw deflate data under this name exist. */
async function* inflate(encoded: Bytes): Bytes {
  const source = encoded[Symbol.asyncIterator]()
  const first = await source.next()
  if (first.done === true) return
  async function* all(): Bytes {
    yield first.value
    for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value
  }
  const isZlib = ((first.value[0] ?? 0) & 0x0f) === 8
  try {
    yield* decodeWith(all(), isZlib ? createInflate(ZLIB) : createInflateRaw(ZLIB))
  } finally {
    await source.return?.()
  }
}
