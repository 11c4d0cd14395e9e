import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'

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
  const kill = () => killProcess(child)
  return { url: `http://127.0.0.1:${port}/mcp`, output: () => output, kill, [Symbol.asyncDispose]: kill }
}

async function killProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No port.')
  return address.port
}
