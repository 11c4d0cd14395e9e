import { Duplex } from 'node:stream'
import type { Effects } from 'purser'

type Done = (error?: Error | null) => void

/**
 * One end of a connection inside this process. It behaves as a TCP socket does: it is written no faster than the other
 * end reads, an end that is destroyed early cuts the other, and without activity it times out.
 */
export class MemorySocket extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  readonly #effects: Effects
  #peer: MemorySocket | undefined
  /** Continues the write of the peer that waits for this end to read. */
  #continueWrite: Done | undefined
  #timeoutMs = 0
  #cancelTimer: (() => void) | undefined
  #isActive = false

  /** Emits `timeout` after this time without activity, as `net.Socket` does; 0 turns it off. */
  readonly setTimeout = (timeoutMs: number, onTimeout?: () => void): this => {
    this.#timeoutMs = timeoutMs
    if (onTimeout !== undefined) this.once('timeout', onTimeout)
    this.#startTimer()
    return this
  }

  constructor(effects: Effects) {
    super({ allowHalfOpen: true })
    this.#effects = effects
  }

  static createPair(effects: Effects): { readonly client: MemorySocket; readonly server: MemorySocket } {
    const [client, server] = [new MemorySocket(effects), new MemorySocket(effects)]
    client.#peer = server
    server.#peer = client
    return { client, server }
  }

  /** Closes after all that was written has reached the other end, which can still read it. */
  destroySoon(): void {
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy()).end()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#isActive = true
    const peer = this.#peer
    if (peer === undefined || peer.destroyed) done(connectionReset())
    else if (peer.push(chunk)) done()
    else peer.#continueWrite = done
  }

  override _read(): void {
    this.#isActive = true
    this.#endWrite()
  }

  override _final(done: Done): void {
    this.#peer?.push(null)
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#cancelTimer?.()
    this.#endWrite(connectionReset())
    // What was written completely can still be read by the other end.
    if (!this.writableFinished) this.#peer?.destroy(connectionReset())
    done(error)
  }

  #endWrite(error?: Error): void {
    const done = this.#continueWrite
    this.#continueWrite = undefined
    done?.(error)
  }

  #startTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#timeoutMs === 0 || this.destroyed) return
    this.#isActive = false
    this.#cancelTimer = this.#effects.setTimer(() => this.#onTimer(), this.#timeoutMs, { background: true })
  }

  #onTimer(): void {
    const wasActive = this.#isActive
    this.#startTimer()
    if (!wasActive) this.emit('timeout')
  }
}

function connectionReset(): Error {
  return Object.assign(new Error('The connection was closed.'), { code: 'ECONNRESET' })
}
