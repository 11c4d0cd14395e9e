import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const READ_BYTES = 65_536

/** A file without a name that holds bytes until they are read once; it is gone when it is closed. */
export class Spool implements AsyncDisposable {
  readonly #file: FileHandle

  private constructor(file: FileHandle) {
    this.#file = file
  }

  /** Writes all bytes to a new spool, no faster than the disk. */
  static async of(bytes: AsyncIterable<Buffer>): Promise<Spool> {
    const directory = await mkdtemp(join(tmpdir(), 'purser-'))
    const file = await open(join(directory, 'spool'), 'wx+', 0o600)
    const spool = new Spool(file)
    try {
      await rm(directory, { recursive: true })
      for await (const piece of bytes) await file.writeFile(piece)
      return spool
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async *read(): AsyncGenerator<Buffer, void, undefined> {
    for (let position = 0; ; ) {
      const { bytesRead, buffer } = await this.#file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close()
  }
}
