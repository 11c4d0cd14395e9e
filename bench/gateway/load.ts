import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ServerProcess } from './processes.ts'

export interface LoadOptions {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** A Lua expression for the body, in which `n` is the number of the request. */
  readonly body: string
  readonly connections: number
  readonly seconds: number
  /** Where the script for wrk is written. */
  readonly folder: string
}

export interface LoadResult {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Responses with another status than 200, and connections that failed. */
  readonly failed: number
}

/** One slice of load on a server. */
export interface LoadSlice extends LoadResult {
  /** Processor time of the server for each request, µs. */
  readonly processorMicros: number
}

const run = promisify(execFile)
let counter = 0

/** The load on a server, with the processor time that it took. */
export async function measureSlice(server: ServerProcess, options: LoadOptions): Promise<LoadSlice> {
  const before = server.processorMicros()
  const result = await measureLoad(options)
  return { ...result, processorMicros: (server.processorMicros() - before) / result.requests }
}

/** Connections that send the next request when the last one was answered. Needs `wrk` (Debian: `apt install wrk`). */
export async function measureLoad({
  url,
  headers,
  body,
  connections,
  seconds,
  folder,
}: LoadOptions): Promise<LoadResult> {
  const script = join(folder, `load-${counter++}.lua`)
  const fields = Object.entries(headers).map(([name, value]) => `wrk.headers[${quote(name)}] = ${quote(value)}`)
  await writeFile(
    script,
    `${fields.join('\n')}
local n = ${counter * 1_000_000}
request = function() n = n + 1; return wrk.format("POST", nil, nil, ${body}) end
done = function(summary, latency)
  local errors = summary.errors
  print(string.format("RESULT %d %d %d %d %d", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end`,
  )
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url]
  const { stdout } = await run('wrk', args)
  const [, requests = 0, micros = 0, p50 = 0, p99 = 0, failed = 0] = (/RESULT (.*)/.exec(stdout)?.[0] ?? '')
    .split(' ')
    .map(Number)
  return { requests, requestsPerSecond: requests / (micros / 1e6), p50Ms: p50 / 1_000, p99Ms: p99 / 1_000, failed }
}

function quote(text: string): string {
  return JSON.stringify(text)
}
