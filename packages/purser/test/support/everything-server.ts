import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { endProcess } from './end-process.ts'
import { findFreePort } from './free-port.ts'

const require = createRequire(import.meta.url)
const EVERYTHING: string = require.resolve('@modelcontextprotocol/server-everything/dist/index.js')

/** The reference MCP server as a child over stdio. */
export const EVERYTHING_OVER_STDIO: { readonly command: string; readonly args: string[] } = {
  command: process.execPath,
  args: [EVERYTHING, 'stdio'],
}

/** The reference MCP server over Streamable HTTP. */
export interface EverythingServer extends AsyncDisposable {
  readonly url: string
  /** Everything the server has printed. */
  output(): string
  /** Kills the process and waits for its exit. */
  kill(): Promise<void>
}

/** Starts the server on a free loopback port. */
export async function openEverythingServer(): Promise<EverythingServer> {
  const port = await findFreePort()
  const child = spawn(process.execPath, [EVERYTHING, 'streamableHttp'], {
    env: { PATH: process.env.PATH, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      if (/listening on port/i.test(output)) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('exit', () => reject(new Error(`The server did not start: ${output}`)))
  })
  const kill = () => endProcess(child)
  return { url: `http://127.0.0.1:${port}/mcp`, output: () => output, kill, [Symbol.asyncDispose]: kill }
}
