import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'

const require = createRequire(import.meta.url)
export const EVERYTHING: string = require.resolve('@modelcontextprotocol/server-everything/dist/index.js')

/** The reference MCP server as a child over stdio. */
export const overStdio: { command: string; args: string[] } = { command: process.execPath, args: [EVERYTHING, 'stdio'] }

export interface EverythingServer {
  readonly url: string
  /** What it has printed so far. */
  readonly log: () => string
  kill(): Promise<void>
}

/** The reference MCP server over Streamable HTTP on a free loopback port. */
export async function startEverything(): Promise<EverythingServer> {
  const port = await freePort()
  const child = spawn(process.execPath, [EVERYTHING, 'streamableHttp'], {
    env: { PATH: process.env.PATH, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  const ready = new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      printed += chunk.toString()
      if (/listening on port/i.test(printed)) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('exit', () => reject(new Error(`The server did not start: ${printed}`)))
  })
  await ready
  return { url: `http://127.0.0.1:${port}/mcp`, log: () => printed, kill: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No port.')
  return address.port
}
