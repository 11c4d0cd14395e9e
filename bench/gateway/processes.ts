import { type ChildProcess, spawn } from 'node:child_process'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'

/** A program under test, on a free loopback port; stopped by its process id. */
export interface Running extends AsyncDisposable {
  readonly port: number
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a program that prints the port it listens on. */
export async function startPrinting(args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) return running(child, Number(line))
  throw new Error(`${args.join(' ')} ended without telling its port`)
}

/** Starts a program that is given its port, and waits until it answers there. */
export async function startAnswering(
  args: readonly string[],
  port: number,
  env: NodeJS.ProcessEnv = {},
): Promise<Running> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...env },
  })
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break
    const answered = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 100)),
    )
    if (answered) return running(child, port)
  }
  child.kill()
  throw new Error(`${args.join(' ')} does not answer on port ${port}`)
}

function running(child: ChildProcess, port: number): Running {
  return {
    port,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}
