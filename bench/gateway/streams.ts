import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { sentTimes } from './completion.ts'

export interface StreamOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
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
  { url, headers, body, streams, seconds }: StreamOptions,
  onSteady: () => void,
): Promise<StreamResult> {
  const { hostname, port, pathname, host } = new URL(url)
  const fields = Object.entries({ ...headers, host, 'content-length': String(Buffer.byteLength(body)) })
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const request = `POST ${pathname} HTTP/1.1\r\n${head}\r\n${body}`
  const firstChunks: number[] = []
  const delays: number[] = []
  let isSteady = false
  let chunks = 0

  function open(): Socket {
    const socket = connect(Number(port), hostname).setEncoding('latin1')
    const startedAt = performance.now()
    let isFirst = true
    socket.write(request)
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
    sockets.push(open())
    await sleep(1_000 / streams)
  }
  await sleep(1_000)
  isSteady = true
  onSteady()
  await sleep(seconds * 1_000)
  isSteady = false
  for (const socket of sockets) socket.destroy()
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
