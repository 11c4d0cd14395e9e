import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { type JSONRPCMessage, ReadBuffer, serializeMessage, type Transport } from '@modelcontextprotocol/client'
import { sleep } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'

/** How long a process may take to end: after its input has ended, after SIGTERM, and after SIGKILL. */
const END_TIMEOUT_MS = 2_000
const KILL_TIMEOUT_MS = 1_000
/** How often the process group is looked at meanwhile. */
const POLL_MS = 20

/** Windows has no process groups: there, only the command itself is ended. */
const HAS_GROUPS = process.platform !== 'win32'

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** Groups that are killed when this process exits without closing them. */
const liveGroups = new Set<number>()
let watchesExit = false

export interface ProcessTransportOptions {
  readonly effects: Effects
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** What the server writes to stderr, as it arrives. */
  readonly onStderr: (text: string) => void
}

/**
 * A server as a process group: the command and everything that it starts, such as the server behind `npx` or `sh`. It
 * ends as a whole, also when the wrapper is already gone.
 */
export class ProcessTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: JSONRPCMessage) => void
  readonly #options: ProcessTransportOptions
  readonly #received = new ReadBuffer()
  #child: Child | undefined
  #hasExited = false
  #closing: Promise<void> | undefined

  constructor(options: ProcessTransportOptions) {
    this.#options = options
  }

  /** The process of the command; null before it is started and after it has ended. */
  get pid(): number | null {
    return this.#hasExited ? null : (this.#child?.pid ?? null)
  }

  start(): Promise<void> {
    const { command, args, env, onStderr } = this.#options
    return new Promise((resolve, reject) => {
      const child = spawn(command, [...args], { env, stdio: ['pipe', 'pipe', 'pipe'], detached: HAS_GROUPS })
      this.#child = child
      child.on('error', (error) => {
        reject(error)
        this.onerror?.(error)
      })
      child.on('spawn', () => {
        watchGroup(child.pid)
        resolve()
      })
      child.on('close', () => {
        this.#hasExited = true
        this.onclose?.()
      })
      for (const stream of [child.stdin, child.stdout, child.stderr])
        stream.on('error', (error) => this.onerror?.(error))
      child.stdout.on('data', (bytes: Buffer) => this.#receive(bytes))
      child.stderr.on('data', (bytes: Buffer) => onStderr(bytes.toString()))
    })
  }

  send(message: JSONRPCMessage): Promise<void> {
    const input = this.#child?.stdin
    if (input === undefined || this.#hasExited) return Promise.reject(new Error('The process has ended.'))
    if (input.write(serializeMessage(message))) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        input.off('drain', done).off('close', done)
        resolve()
      }
      input.on('drain', done).on('close', done)
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    const child = this.#child
    const group = child?.pid
    if (child === undefined || group === undefined) return
    child.stdin.end()
    if (!(await this.#hasEnded(group, END_TIMEOUT_MS))) {
      signalGroup(group, 'SIGTERM')
      if (!(await this.#hasEnded(group, END_TIMEOUT_MS))) {
        signalGroup(group, 'SIGKILL')
        await this.#hasEnded(group, KILL_TIMEOUT_MS)
      }
    }
    liveGroups.delete(group)
    // A process that left the group may still hold the pipes.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
    this.#received.clear()
  }

  async #hasEnded(group: number, timeoutMs: number): Promise<boolean> {
    const { effects } = this.#options
    const endsAt = effects.monotonic() + timeoutMs
    while (signalGroup(group, 0)) {
      if (effects.monotonic() >= endsAt) return false
      await sleep(effects, POLL_MS)
    }
    return true
  }

  #receive(bytes: Buffer): void {
    try {
      this.#received.append(bytes)
    } catch (error) {
      // More than a message may have.
      this.onerror?.(error as Error)
      void this.close()
      return
    }
    for (;;) {
      try {
        const message = this.#received.readMessage()
        if (message === null) return
        this.onmessage?.(message)
      } catch (error) {
        // A line that is no message, such as a log line on stdout.
        this.onerror?.(error as Error)
      }
    }
  }
}

/** Sends a signal to every process of the group; 0 only asks. Returns whether the group has any. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(HAS_GROUPS ? -group : group, signal)
  } catch (error) {
    // EPERM: the group has a process of another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function watchGroup(group: number | undefined): void {
  if (group === undefined) return
  liveGroups.add(group)
  if (watchesExit) return
  watchesExit = true
  process.on('exit', () => {
    for (const live of liveGroups) signalGroup(live, 'SIGKILL')
  })
}
