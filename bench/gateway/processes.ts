import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const TICK_MICROS = 10_000

/** A server process on a loopback port. Disposing stops it. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number
  /** Processor time of all its threads so far, µs. */
  processorMicros(): number
  /** Resident memory, MB. */
  residentMb(): number
}

/** Starts a program that prints the port on which it listens. */
export async function startOnPrintedPort(args: readonly string[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) return toServerProcess(child, Number(line))
  throw new Error(`${args.join(' ')} exited without printing its port`)
}

/** Starts a program that gets its port as an argument, and waits until it answers. */
export async function startOnPort(
  args: readonly string[],
  port: number,
  env: NodeJS.ProcessEnv = {},
): Promise<ServerProcess> {
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
    if (answered) return toServerProcess(child, port)
  }
  child.kill()
  throw new Error(`${args.join(' ')} does not answer on port ${port}`)
}

function toServerProcess(child: ChildProcess, port: number): ServerProcess {
  return {
    port,
    processorMicros() {
      // Fields 14 and 15 of proc_pid_stat(5): time in user and kernel mode, in ticks.
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ')
      return (Number(stat[13]) + Number(stat[14])) * TICK_MICROS
    },
    residentMb() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024
    },
    async [Symbol.asyncDispose]() {
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await exited
    },
  }
}
