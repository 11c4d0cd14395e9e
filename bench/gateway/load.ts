import { Client } from 'undici'

export interface LoadOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The body of the request with this index. */
  body(index: number): string
  readonly connections: number
  readonly durationMs: number
}

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Responses with another status than 200. */
  readonly failed: number
}

/** Measures the throughput of connections that send the next request when the last one was answered. */
export async function measureLoad({ url, headers, body, connections, durationMs }: LoadOptions): Promise<LoadResult> {
  const { origin, pathname } = new URL(url)
  const times: number[] = []
  const end = performance.now() + durationMs
  const began = performance.now()
  let index = 0
  let failed = 0

  async function connection(): Promise<void> {
    const client = new Client(origin)
    while (performance.now() < end) {
      const start = performance.now()
      const response = await client.request({ path: pathname, method: 'POST', headers, body: body(index++) })
      await response.body.dump()
      if (response.statusCode !== 200) failed += 1
      times.push(performance.now() - start)
    }
    await client.close()
  }

  await Promise.all(Array.from({ length: connections }, connection))
  const seconds = (performance.now() - began) / 1000
  times.sort((a, b) => a - b)
  const quantile = (fraction: number): number => times[Math.floor(times.length * fraction)] ?? Number.NaN
  return { requestsPerSecond: times.length / seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99), failed }
}
