import type { Socket } from 'node:net'
import type { ConnectionTimeouts } from '../../src/app/connection-limits.ts'
import { openServer } from '../../src/app/server.ts'
import type { EnvironmentKeys } from '../../src/auth/environment-keys.ts'
import type { ConfigFile } from '../../src/index.ts'

/*
 * A server in a process of its own, so that its memory and its file descriptors are counted without those of its
 * clients. It answers the message `reset` when it counts from zero, and the message `report` when all connections that
 * it was told to expect have been opened and closed. Run it with `--expose-gc`.
 */

export interface ConnectionServerOptions {
  readonly config: ConfigFile
  readonly keys: EnvironmentKeys
  readonly timeouts?: ConnectionTimeouts
}

export interface ConnectionReport {
  /** From the first to the last byte that could have been exchanged, ms. */
  readonly longestMs: number
  /** After a collection of garbage. */
  readonly usedBytes: number
  readonly peakRssBytes: number
  /** Leases that are still held. */
  readonly inUse: readonly number[]
}

export type ConnectionMessage = { readonly kind: 'reset' } | { readonly kind: 'report'; readonly expected: number }

const { config, keys, timeouts } = JSON.parse(process.argv[2] ?? '') as ConnectionServerOptions
const server = await openServer({ config, keys }, timeouts)
const url = await server.listen()

let opened = 0
let open = 0
let longestMs = 0
let peakRssBytes = 0
let onClosed: () => void = () => {}

server.fastify.server.on('connection', (socket: Socket) => {
  const startedAt = performance.now()
  opened++
  open++
  peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss())
  socket.once('close', () => {
    open--
    peakRssBytes = Math.max(peakRssBytes, process.memoryUsage.rss())
    longestMs = Math.max(longestMs, performance.now() - startedAt)
    onClosed()
  })
})

/** Buffers of closed connections are freed in the turn after they were collected. */
async function measureUsedBytes(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.()
    await new Promise(setImmediate)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function waitForEnds(expected: number): Promise<void> {
  while (opened < expected || open > 0) await new Promise<void>((resolve) => (onClosed = resolve))
}

process.on('message', async (message: ConnectionMessage) => {
  if (message.kind === 'reset') {
    opened = 0
    longestMs = 0
    peakRssBytes = process.memoryUsage.rss()
  } else await waitForEnds(message.expected)
  const inUse = server.context.purser.runtime.active().map((runtime) => runtime.inUse)
  const usedBytes = await measureUsedBytes()
  process.send?.({ longestMs, usedBytes, peakRssBytes, inUse } satisfies ConnectionReport)
})
process.once('disconnect', () => void server.close())
process.send?.({ port: Number(new URL(url).port) })
