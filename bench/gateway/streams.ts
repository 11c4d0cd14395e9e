import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sentTimes } from './completion.ts'

export interface StreamOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The body of a request, by its number. */
  readonly bodyOf: (index: number) => string
  readonly streams: number
  readonly seconds: number
}

export interface StreamResult {
  readonly chunks: number
  /** From the request to the first chunk, ms. */
  readonly firstChunkP50Ms: number
  readonly firstChunkP99Ms: number
  /** From the upstream's write of a chunk to its arrival, ms. */
  readonly delayP99Ms: number
}

/** Streams that start one after the other within a second, and are then read for some seconds. */
export async function measureStreams(
  { url, headers, bodyOf, streams, seconds }: StreamOptions,
  onSteady: () => void,
): Promise<StreamResult> {
  const { hostname, port, pathname, host } = new URL(url)
  const head = Object.entries({ ...headers, host }).map(([name, value]) => `${name}: ${value}\r\n`)
  const firstChunks: number[] = []
  const delays: number[] = []
  let isSteady = false
  let chunks = 0
  let refused = 0

  function open(index: number): Socket {
    const body = bodyOf(index)
    const length = `content-length: ${Buffer.byteLength(body)}\r\n`
    const request = `POST ${pathname} HTTP/1.1\r\n${head.join('')}${length}\r\n${body}`
    const socket = connect(Number(port), hostname).setEncoding('latin1')
    const startedAt = performance.now()
    let isFirst = true
    socket.write(request)
    socket.once('data', (text: string) => {
      if (!text.startsWith('HTTP/1.1 200')) refused++
    })
    socket.on('data', (text: string) => {
      const times = sentTimes(text)
      if (times.length === 0) return
      if (isFirst) firstChunks.push(performance.now() - startedAt)
      isFirst = false
      if (!isSteady) return
      const now = performance.timeOrigin + performance.now()
      for (const sentAt of times) delays.push(now - sentAt)
      chunks += times.length
    })
    socket.on('error', () => undefined)
    return socket
  }

  const sockets: Socket[] = []
  for (let index = 0; index < streams; index++) {
    sockets.push(open(index))
    await sleep(1_000 / streams)
  }
  await sleep(1_000)
  isSteady = true
  onSteady()
  await sleep(seconds * 1_000)
  isSteady = false
  for (const socket of sockets) socket.destroy()
  if (refused > 0) throw new Error(`${refused} of ${streams} streams were refused.`)
  const quantile = quantileOf(firstChunks)
  return {
    chunks,
    firstChunkP50Ms: quantile(0.5),
    firstChunkP99Ms: quantile(0.99),
    delayP99Ms: quantileOf(delays)(0.99),
  }
}

function quantileOf(values: readonly number[]): (fraction: number) => number {
  const sorted = values.toSorted((a, b) => a - b)
  return (fraction) => sorted[Math.floor(sorted.length * fraction)] ?? Number.NaN
}
